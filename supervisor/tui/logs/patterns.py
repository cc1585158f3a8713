"""What a person typed to find, filter or exclude, as a test on bytes and as places to paint.

Decides: the text is a regular expression; one that is none (`foo(`, or half typed) is meant literally. Smart case, as journalctl has it:
without a capital letter case does not matter. Colour (SGR) in a line does not hide a word from a pattern.

Laws: `places` over a chunk finds exactly the lines that `matches` finds one by one; tests hold them to each other. Lower case is made
of both sides instead of asking `re` to ignore case, which takes three times as long.
"""

import re
from array import array

from supervisor.tui.logs.store import Chunk

_META = frozenset(".^$*+?{}[]\\|()")
_ESCAPES = re.compile(r"\\.", re.DOTALL)
_SGR_BYTES = re.compile(rb"\x1b\[[0-9;:]{0,61}m")
_LONGEST_TYPED = 512


class Pattern:
    """One pattern. `is_literal` says that it was no regular expression, or needed none; `fault` why it was none, if it looked so."""

    def __init__(self, typed: str) -> None:
        self.typed = typed[:_LONGEST_TYPED]
        self.ignores_case = not any(letter.isupper() for letter in _ESCAPES.sub("", self.typed))
        self.fault = _fault_of(self.typed) if _META.intersection(self.typed) else ""
        self.is_literal = bool(self.fault) or not _META.intersection(self.typed)
        source = re.escape(self.typed) if self.is_literal else self.typed
        self._shown = re.compile(source, re.IGNORECASE if self.ignores_case else 0)
        self._literal = self.typed.encode("utf-8", "replace") if self.is_literal else b""
        # Bytes are half as dear as text; but a class or a dot beyond ASCII would match one byte of a character.
        self._is_of_text = not self.typed.isascii() and not self.is_literal
        self._raw = re.compile(source.encode("utf-8", "replace"))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pattern) and other.typed == self.typed

    def __hash__(self) -> int:
        return hash(self.typed)

    def for_files(self) -> re.Pattern[bytes]:
        """The same for a reader of files, for which colour in a line is part of it; to choose blocks, not to judge lines."""
        return re.compile(self._raw.pattern, re.IGNORECASE if self.ignores_case else 0)

    def matches(self, raw: bytes) -> bool:
        """Whether it is found in these bytes of one line."""
        if b"\x1b" in raw:
            raw = _SGR_BYTES.sub(b"", raw)
        if self.ignores_case:
            raw = raw.lower()
        if self.is_literal:
            return self._literal in raw
        if self._is_of_text:
            return self._shown.search(raw.decode("utf-8", "replace")) is not None
        return self._raw.search(raw) is not None

    def spans(self, shown: str) -> list[tuple[int, int]]:
        """(begin, end) of each place in a text as it is shown; none that is empty."""
        return [found.span() for found in self._shown.finditer(shown) if found.end() > found.start()]

    def places(self, chunk: Chunk, start: int, stop: int) -> "array[int]":
        """The places from `start` to before `stop` whose lines match."""
        if start >= stop:
            return array("H")
        begin = chunk.ends[start - 1] if start else 0
        blob = bytes(memoryview(chunk.text)[begin : chunk.ends[stop - 1]])
        has_colour = b"\x1b" in blob
        if self.is_literal and not has_colour:
            return self._literal_places(blob.lower() if self.ignores_case else blob, chunk, start, begin)
        if has_colour or self._is_of_text:
            return array("H", [start + n for n, raw in enumerate(blob[:-1].split(b"\n")) if self.matches(raw)])
        search = self._raw.search
        lines = (blob.lower() if self.ignores_case else blob)[:-1].split(b"\n")
        return array("H", [start + n for n, raw in enumerate(lines) if search(raw)])

    def _literal_places(self, blob: bytes, chunk: Chunk, start: int, begin: int) -> "array[int]":
        found = array("H")
        position, place, ends = 0, start, chunk.ends
        last = begin + len(blob)
        if not self._literal:
            return array("H", range(start, start + blob.count(b"\n")))
        while (position := blob.find(self._literal, position)) >= 0:
            offset = begin + position
            while ends[place] <= offset:
                place += 1
            found.append(place)
            if ends[place] >= last:
                break
            position = ends[place] - begin
            place += 1
        return found


def _fault_of(typed: str) -> str:
    """Why this is no regular expression, as a clause; "" when it is one."""
    try:
        re.compile(typed)
        re.compile(typed.encode("utf-8", "replace"))
    except (re.error, OverflowError, RecursionError) as error:
        return str(error)
    return ""


def without_colour(raw: bytes) -> bytes:
    """The bytes without complete SGR sequences."""
    return _SGR_BYTES.sub(b"", raw) if b"\x1b" in raw else raw
