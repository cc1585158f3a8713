"""Whether who reads our output reads UTF-8, and what our symbols are for who does not. One rule for supctl and its screens.

Decides by the locale (locale(7)): one that names another character set than UTF-8, `LC_ALL=C` among them, is sent plain characters: bytes
of UTF-8 would be mojibake, and may be controls. Where no locale is set at all, as in most containers, it is a terminal of today more often
than not. A plain character takes the one cell of its symbol. Never: asks the terminal, which might not answer. Imports nothing.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_PLAIN = str.maketrans({
    "▸": ">", "●": "*", "◌": ".", "✗": "X", "↺": "r", "◐": ">", "◑": "<", "↻": "~", "▲": "^", "✓": "+", "○": "-", "⊘": "/", "◷": "@",
    "▌": "|", "│": "|", "─": "-", "█": "#", "▴": "^", "▾": "v", "…": "~", "→": ">", "←": "<", "▏": "|", "┌": "+", "┐": "+", "└": "+",
    "┘": "+", "├": "+", "┤": "+", "┬": "+", "┴": "+", "┼": "+", "╭": "+", "╮": "+", "╰": "+", "╯": "+", "❚": "|", "·": ".",
    "‹": "<", "›": ">", "–": "-", "—": "-", "×": "x", "▶": ">", "◀": "<", "◆": "*", "◇": "o", "↶": "<", "±": "+", "≥": ">", "⏎": "~",
})  # fmt: skip


def plain(text: str) -> str:
    """The same text in ASCII as far as it is ours; what a unit says of itself may still hold other letters."""
    return text if text.isascii() else text.translate(_PLAIN)


def given_environ() -> dict[str, str]:
    """The environment as it was handed to this process: Python itself sets LC_CTYPE where the locale is C (PEP 538)."""
    with open("/proc/self/environ", "rb") as file:
        pairs = [entry.decode("utf-8", "surrogateescape").partition("=") for entry in file.read().split(b"\0")]
    return {name: value for name, _, value in pairs if name}


def is_utf8(environ: "Mapping[str, str]") -> bool:
    """Whether the locale of this environment is one of UTF-8; nothing said is yes."""
    locale = next((value for name in ("LC_ALL", "LC_CTYPE", "LANG") if (value := environ.get(name))), "")
    codeset = locale.partition("@")[0].rpartition(".")[2]
    return not locale or codeset.lower().replace("-", "") == "utf8"
