"""Which lines of a log are wanted, and how they are found in a block of many at the speed of a search through bytes.

A pattern is looked for in whole blocks where it cannot reach over a line's end, in lower case where case does not matter, and without an
expression where it is plain text. What is found is the same as line by line; a test compares them.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from re import Pattern

# What lets an expression reach over a line's end, or ties it to the text's own: then every line is looked at by itself.
_NOT_IN_BLOCKS = (b"[^", b"\\s", b"\\S", b"\\W", b"\\D", b"\\n", b"\\A", b"\\Z", b"\\x", b"\\0", b"\\1", b"\n", b"(?", b"$", b"^")

_SPECIAL = (b"\\", b".", b"^", b"$", b"*", b"+", b"?", b"{", b"}", b"[", b"]", b"|", b"(", b")")


class Filter:
    """Which lines are wanted. `runs`: only of these. `exclude`: none that this pattern finds."""

    __slots__ = ("exclude", "pattern", "runs", "since_us", "until_us")

    def __init__(
        self,
        since_us: int = 0,
        until_us: int | None = None,
        runs: frozenset[bytes] | None = None,
        pattern: "Pattern[bytes] | None" = None,
        exclude: "Pattern[bytes] | None" = None,
    ) -> None:
        self.since_us = since_us
        self.until_us = until_us
        self.runs = runs
        self.pattern = pattern
        self.exclude = exclude

    def accepts(self, text: bytes) -> bool:
        """Whether the patterns want a line of this text."""
        return (self.pattern is None or self.pattern.search(text) is not None) and (self.exclude is None or not self.exclude.search(text))


EVERYTHING = Filter()


def smart_case(text: str) -> "Pattern[bytes]":
    """A person's pattern: without a capital letter case does not matter, as journalctl has it. Raises re.error.

    What the command line gave that is no UTF-8 stands for the bytes themselves (surrogateescape).
    """
    import re

    return re.compile(text.encode(errors="surrogateescape"), re.IGNORECASE if text == text.lower() else 0)


def picker(wanted: Filter) -> "Callable[[bytes], list[tuple[int, int]]]":
    """What finds (begin, end) of each wanted line in a block of whole lines."""
    pattern, exclude = wanted.pattern, wanted.exclude

    def every(block: bytes) -> list[tuple[int, int]]:
        found, start = [], 0
        for text in block.removesuffix(b"\n").split(b"\n"):
            if wanted.accepts(text):
                found.append((start, start + len(text)))
            start += len(text) + 1
        return found

    if pattern is None or any(mark in pattern.pattern for mark in _NOT_IN_BLOCKS):
        return every
    lowered = _lowered(pattern)
    search = _searcher(lowered or pattern)

    def by_blocks(block: bytes) -> list[tuple[int, int]]:
        found = _matches(search, block if lowered is None else block.lower())
        return [(start, end) for start, end in found if exclude is None or not exclude.search(block[start:end])]

    return by_blocks


def _lowered(pattern: "Pattern[bytes]") -> "Pattern[bytes] | None":
    """The same for text in lower case, where case does not matter: ten times as fast. None where it would not be the same."""
    import re

    text = pattern.pattern
    if text.lower() == text.upper() and b"[" not in text:
        return None  # no letter in it: as it stands, case does not matter
    return re.compile(text) if pattern.flags == re.IGNORECASE and text == text.lower() and b"[" not in text else None


def _searcher(pattern: "Pattern[bytes]") -> "Callable[[bytes, int], int]":
    """Where the pattern is found next from a position on, -1 if nowhere. Plain text needs no expression: several times as fast."""
    text = pattern.pattern
    has_case = not pattern.flags & 2 or text.lower() == text.upper()  # 2: re.IGNORECASE
    if text and has_case and not any(mark in text for mark in _SPECIAL):
        return lambda block, position: block.find(text, position)

    def search(block: bytes, position: int) -> int:
        found = pattern.search(block, position)
        return -1 if found is None else found.start()

    return search


def _matches(search: "Callable[[bytes, int], int]", block: bytes) -> "Iterator[tuple[int, int]]":
    """(begin, end) of each line of the block in which something is found; it cannot reach over a line's end."""
    position = 0
    while position < len(block) and (at := search(block, position)) >= 0:
        start = block.rfind(b"\n", 0, at) + 1
        end = block.find(b"\n", at)
        if end < 0:
            if start < len(block):
                yield start, len(block)
            return
        yield start, end
        position = end + 1
