"""What a unit wrote, made fit for a person's terminal.

Decides: which characters of foreign text may reach a terminal as they are. Printable text and tabs may; a complete colour
sequence (`ESC [ ... m`) is dropped, since it is only paint; every other control character, C1 control and bidirectional
override is written out (`\\x1b`, `\\u202e`), so that it can be read and cannot act.

Never: changes what is stored. Raw bytes are for those who ask for them.
"""

_TAB = 0x09
_NEWLINE = 0x0A


def _table() -> dict[int, str]:
    named = {0x08: "\\b", 0x0B: "\\v", 0x0C: "\\f", 0x0D: "\\r"}
    table = {code: named.get(code, f"\\x{code:02x}") for code in (*range(0x20), *range(0x7F, 0xA0)) if code not in (_TAB, _NEWLINE)}
    # Overrides and isolates reorder what stands around them on the screen: a line could show another command than it holds.
    table.update({code: f"\\u{code:04x}" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C)})
    return table


_WRITTEN_OUT = _table()
_SEQUENCE_LENGTH_MAX = 64
_PARAMETERS = "0123456789;:"


def neutralise(text: str) -> str:
    """`text` without anything a terminal would obey but tab and newline. Text that is harmless comes back unchanged."""
    if text.isprintable():
        return text
    if "\x1b[" in text:
        text = _without_colour(text)
    return text.translate(_WRITTEN_OUT)


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
