"""How grave a line is, as far as it tells: a number from its text, for colour, for the level filter and for "next error".

Decides: which words count. A level in capitals counts anywhere near the line's begin; one in small letters only where it is plainly
a level (`level=warn`, `"level":"warn"`, `[warn]`, `warn:`); syslog's `<3>` and pino's `"level":50` are numbers for the same. A line that
begins with white space belongs to the one before it (a stack trace), which is the store's business: here it has no level.

Never: guesses from the mood of a sentence ("failed to", "could not").
"""

import re

NONE, DEBUG, INFO, WARN, ERROR, FATAL = range(6)
CONTINUES = 7  # the line belongs to the one before

WORDS = ("", "DBG", "INF", "WRN", "ERR", "FTL")
NAMES = ("all", "debug", "info", "warn", "error", "fatal")

_LOOKED_AT_BYTES = 160
_GROUPS = {
    FATAL: "FATAL|CRITICAL|CRIT|EMERG|ALERT|PANIC",
    ERROR: "ERROR|ERR|SEVERE",
    WARN: "WARNING|WARN|WRN",
    INFO: "NOTICE|INFO|INF",
    DEBUG: "DEBUG|DBG|TRACE|FINE",
}
_LEVEL_OF = {word.encode(): level for level, words in _GROUPS.items() for word in words.split("|")}
_SMALL = "|".join(_GROUPS.values()).lower()
# Three cheap looks instead of one expression with every word at every place: a quarter of the time on a line without a level.
_CAPITALS = re.compile(rb"(?<![A-Za-z0-9_])[A-Z]{3,8}(?![A-Za-z0-9_=])")
_KEYS = (b"level", b"lvl", b"severity", b"[")
_KEYED = re.compile(rf"(?i:(?:level|lvl|severity|levelname)\"?[ ]?[=:][ ]?\"?|\[)((?i:{_SMALL}))(?![A-Za-z0-9_])".encode())
_WITH_COLON = re.compile(rf"(?:\A|[ ])({_SMALL}):".encode())
_NUMBER = re.compile(rb'\A(?:<([0-7])>|[^\n]{0,120}?"level" ?: ?([1-6])0\b)')
_SYSLOG = (FATAL, FATAL, FATAL, ERROR, WARN, INFO, INFO, DEBUG)
_PINO = (NONE, DEBUG, DEBUG, INFO, WARN, ERROR, FATAL)
_EXCEPTION = re.compile(
    rb"(?:Traceback \(most recent call last\)|(?:[A-Za-z_][\w.]*)?(?:Error|Exception)(?::|\Z)|panic: |thread '[^']*' panicked)"
)


def detect(text: bytes) -> int:
    """The level of one line, NONE if it tells none, CONTINUES if it belongs to the line before it."""
    first = text[:1]
    if first == b" " or first == b"\t":
        return CONTINUES
    head = text[:_LOOKED_AT_BYTES]
    if first == b"<" or b'"level"' in head:
        number = _NUMBER.match(head)
        if number is not None:
            return _SYSLOG[int(number[1])] if number[1] else _PINO[int(number[2])]
    keyed = _KEYED.search(head) if any(key in head for key in _KEYS) else None
    for found in _CAPITALS.finditer(head, 0, keyed.start() if keyed is not None else len(head)):
        if found[0] in _LEVEL_OF:
            return _LEVEL_OF[found[0]]
    if keyed is not None:
        return _LEVEL_OF[keyed[1].upper()]
    if b":" in head:
        named = _WITH_COLON.search(head)
        if named is not None:
            return _LEVEL_OF[named[1].upper()]
        if _EXCEPTION.match(head):
            return ERROR
    return NONE
