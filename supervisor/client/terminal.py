"""What a unit wrote, made fit for a person's terminal.

Decides: which characters of foreign text may reach a terminal as they are. Printable text and tabs may. What is only paint is dropped:
a complete colour sequence (`ESC [ ... m`), and the selectors that choose between two pictures of one character. Everything else that
acts or that cannot be seen is written out (`\\x1b`, `\\u202e`, `\\u200b`), so that it can be read and does nothing: controls, what
changes the direction of text, what has no width (two names that look alike may differ by it), blank letters, separators of lines, and
halves of surrogate pairs, which no terminal can be sent.

Never: changes what is stored. Raw bytes are for those who ask for them.
"""

_made: dict[int, str] = {}
_TAB = 0x09
_NEWLINE = 0x0A
# Unicode's Default_Ignorable_Code_Point (DerivedCoreProperties.txt) but for the selectors, with the separators of lines and paragraphs and
# with surrogates. Overrides and isolates among them reorder what stands around them: a line could show another command than it holds.
_WITHOUT_A_TRACE = (
    (0x00AD, 0x00AD), (0x034F, 0x034F), (0x061C, 0x061C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180E, 0x180E), (0x200B, 0x200F),
    (0x2028, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xD800, 0xDFFF), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFFB),
    (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE00FF),
)  # fmt: skip
_SELECTORS = ((0x180B, 0x180D), (0x180F, 0x180F), (0xFE00, 0xFE0F), (0xE0100, 0xE01EF))
# What Python calls printable all the same.
_UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0").union(
    map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))
)


def _written_out() -> dict[int, str]:
    """Made when it is first needed: three thousand entries, for text that most programs never write."""
    if not _made:
        _made.update(_table())
    return _made


def _table() -> dict[int, str]:
    named = {0x08: "\\b", 0x0B: "\\v", 0x0C: "\\f", 0x0D: "\\r"}
    table = {code: named.get(code, f"\\x{code:02x}") for code in (*range(0x20), *range(0x7F, 0xA0)) if code not in (_TAB, _NEWLINE)}
    for first, last in _WITHOUT_A_TRACE:
        table.update({code: _named(code) for code in range(first, last + 1)})
    for first, last in _SELECTORS:
        table.update(dict.fromkeys(range(first, last + 1), ""))
    return table


def _named(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


_SEQUENCE_LENGTH_MAX = 64
_PARAMETERS = "0123456789;:"


def neutralise(text: str) -> str:
    """`text` without anything unseen or that a terminal would obey, but tab and newline. Harmless text comes back unchanged."""
    if text.isprintable() and (text.isascii() or _UNSEEN.isdisjoint(text)):
        return text
    if "\x1b[" in text:
        text = _without_colour(text)
    return text.translate(_written_out())


def _without_colour(text: str) -> str:
    """`text` without its complete SGR sequences (ECMA-48, 8.3.117); whatever else begins with ESC stays for the table."""
    kept: list[str] = []
    position = 0
    while (start := text.find("\x1b[", position)) >= 0:
        end = start + 2
        limit = min(len(text), end + _SEQUENCE_LENGTH_MAX)
        while end < limit and text[end] in _PARAMETERS:
            end += 1
        is_colour = end < limit and text[end] == "m"
        kept.append(text[position : start if is_colour else end])
        position = end + 1 if is_colour else end
    kept.append(text[position:])
    return "".join(kept)
