"""The lines of one stream of one unit's log, with their time and run, read in either direction from any place.

A *stream* is a directory of segments: a unit's output, or its standard error where that is kept apart (`stderr` within). A *place* is
(sequence, offset), the begin of a line; END is the end of the log. Reading goes block by block and gives one `Chunk` for each: the wanted
lines of the block, in the order of reading, and the place from which reading can be taken up again, by anybody, later.

Laws:
- One block is in memory, however long a line is: of a line longer than `HEAD_BYTES` the head is given and its size; `whole` reads it.
- A look-up by time is a binary search in the index; blocks in which a pattern finds nothing cost a search and no more.
- The last line of the log may have no newline yet: it is given with `ends` False and the place stays before it, so that it is read again.
- A line belongs to one run: where another run begins in the middle of what the one before left without a newline, a line begins.
- A segment is left for the next one only after it was read to its end once more, when the next one was there: no rotation loses a line.

Never: writes, waits, or trusts the text. Bytes are given as they are; who shows them makes them harmless.
"""

import os
from itertools import pairwise

from supervisor.client.logfile import begins_anew, open_segment, segment_name, segments
from supervisor.client.logfilter import EVERYTHING, Filter, picker
from supervisor.client.logindex import CONTINUES, NO_RUN, Index

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    Place = tuple[int, int]  # (sequence, offset)

BEGIN = (0, 0)
END = (1 << 62, 0)
OUT, ERR = "stdout", "stderr"
HEAD_BYTES = 1 << 20
_BLOCK_BYTES = 1 << 18
_FIRST_BLOCK_BYTES = 1 << 14  # backwards a few lines are wanted at first
_OVERLAP_BYTES = 1 << 12  # what a pattern may span where a long line is looked at in windows


class Line:
    """One line. `text`: without its newline, at most HEAD_BYTES of its `size_bytes`.

    `continues`: it is the rest of a line that the segment before had no room for.
    """

    __slots__ = ("continues", "next_offset", "offset", "run", "sequence", "size_bytes", "stream", "text", "time_us", "unit")

    def __init__(self, unit: str, stream: str, place: "Place", text: bytes, size_bytes: int, next_offset: int) -> None:
        self.unit = unit
        self.stream = stream
        self.sequence, self.offset = place
        self.text = text
        self.size_bytes = size_bytes
        self.next_offset = next_offset
        self.time_us = 0
        self.run = NO_RUN
        self.continues = False

    @property
    def ends(self) -> bool:
        """False while it is the last line of the log and may still grow."""
        return self.next_offset > self.offset

    @property
    def place(self) -> "Place":
        """Where it begins."""
        return self.sequence, self.offset

    @property
    def next_place(self) -> "Place":
        """Where the line after it begins; its own begin while it may still grow."""
        return self.sequence, self.next_offset


class Chunk:
    """What one step of reading found. `place`: where reading goes on. `scanned_bytes`: how much was looked at."""

    __slots__ = ("lines", "place", "scanned_bytes")

    def __init__(self, lines: list[Line], place: "Place", scanned_bytes: int) -> None:
        self.lines = lines
        self.place = place
        self.scanned_bytes = scanned_bytes


class LocalStream:
    """A stream whose segments can be opened."""

    def __init__(self, unit: str, directory: str, stream: str = OUT) -> None:
        self.unit = unit
        self.stream = stream
        self.directory = directory if stream == OUT else os.path.join(directory, stream)

    def forward(self, place: "Place", wanted: Filter = EVERYTHING) -> "Iterator[Chunk]":
        """From this place to the end as it is when it is reached, oldest first."""
        sequence, offset = self._found(place)
        while sequence:
            segment = self._opened(sequence, wanted)
            following = 0
            if segment is not None:
                with segment:
                    for chunk in segment.forward(offset):
                        yield chunk
                        offset = chunk.place[1]
                    following = self._next(sequence)
                    # With what came between the last look and the birth of the next one, and a last line without its newline.
                    yield from segment.forward(offset, is_closed=bool(following))
            sequence, offset = following or (0 if segment is not None else self._next(sequence)), 0

    def backward(self, place: "Place" = END, wanted: Filter = EVERYTHING) -> "Iterator[Chunk]":
        """From this place to the begin, newest first."""
        numbers = segments(self.directory)
        for sequence in reversed([number for number in numbers if number <= place[0]]):
            segment = self._opened(sequence, wanted)
            if segment is not None:
                with segment:
                    yield from segment.backward(place[1] if sequence == place[0] else None, is_newest=sequence == numbers[-1])

    def whole(self, line: Line) -> "Iterator[bytes]":
        """The text of a line in pieces, however long it is; its head alone when the segment is gone."""
        yield line.text
        left, offset = line.size_bytes - len(line.text), line.offset + len(line.text)
        if left <= 0:
            return
        try:
            fd = open_segment(self.directory, line.sequence)
        except OSError:
            return
        try:
            while left > 0 and (piece := os.pread(fd, min(left, HEAD_BYTES), offset)):
                yield piece
                left, offset = left - len(piece), offset + len(piece)
        finally:
            os.close(fd)

    def runs(self) -> list[bytes]:
        """Every run that the indexes name, oldest first."""
        found: dict[bytes, None] = {}
        for sequence in segments(self.directory):
            segment = self._opened(sequence, EVERYTHING)
            if segment is not None:
                with segment:
                    found.update((entry.run, None) for entry in segment.index.walk(0) if entry.run != NO_RUN)
        return list(found)

    def watched_paths(self) -> list[str]:
        """What to watch for news: the directory and the newest segment; before the directory is born, the nearest one that exists."""
        directory = self.directory
        while not os.path.isdir(directory) and directory != "/":
            directory = os.path.dirname(directory)
        newest = max(segments(self.directory), default=0)
        return [directory, os.path.join(self.directory, segment_name(newest))] if newest else [directory]

    def _found(self, place: "Place") -> "Place":
        """The place itself, or the first one after it; (0, 0) when there is none. The begin where the log is gone and began anew."""
        numbers = segments(self.directory)
        if not numbers or place >= END:
            return 0, 0
        later = [number for number in numbers if number >= place[0]]
        if not later:
            return (numbers[0] if begins_anew(self.directory, place[0]) else 0), 0
        return (later[0], place[1]) if later[0] == place[0] else (later[0], 0)

    def _next(self, sequence: int) -> int:
        return min([number for number in segments(self.directory) if number > sequence], default=0)

    def _opened(self, sequence: int, wanted: Filter) -> "_Segment | None":
        try:
            fd = open_segment(self.directory, sequence)
        except OSError:
            return None  # removed since it was listed
        return _Segment(self, sequence, fd, wanted)


class _Segment:
    """One segment while it is read."""

    def __init__(self, of: LocalStream, sequence: int, fd: int, wanted: Filter) -> None:
        self._of = of
        self._sequence = sequence
        self._fd = fd
        self._wanted = wanted
        self.index = Index(of.directory, sequence, fd)
        self._pick = picker(wanted)
        self._size = os.fstat(fd).st_size
        self._is_of_one_run: bool | None = None

    def __enter__(self) -> "_Segment":
        return self

    def __exit__(self, *_: object) -> None:
        self.index.close()
        os.close(self._fd)

    def forward(self, offset: int, *, is_closed: bool | None = None) -> "Iterator[Chunk]":
        """A last line without its newline is given if `is_closed` is known: as one that is over, or as one that may grow."""
        size = os.fstat(self._fd).st_size
        if offset > size:
            offset = 0  # cut short: what is in it now is new
        wanted = self._wanted
        if wanted.since_us > self.index.last_time_us():
            yield Chunk([], (self._sequence, self._last_line_begin(size)), 0)
            return
        if wanted.since_us:
            offset = max(offset, self._line_from(self.index.at_time(wanted.since_us).offset))
        while block := os.pread(self._fd, _BLOCK_BYTES, offset):
            taken = block.rfind(b"\n") + 1
            if taken:
                lines = self._lines(block[:taken], offset)
            else:
                length, has_newline = self._line_end(offset, len(block))
                if cuts := self._cuts(offset, offset + length):
                    taken = length = cuts[0] - offset
                elif not has_newline and is_closed is None:
                    return
                else:
                    taken = length + 1 if has_newline else length if is_closed else 0
                lines = self._long_line(offset, length, offset + taken)
            offset += taken
            if wanted.until_us is not None and self.index.at_offset(offset).time_us > wanted.until_us:
                yield Chunk(lines, (self._sequence, self._last_line_begin(os.fstat(self._fd).st_size)), len(block))
                return
            yield Chunk(lines, (self._sequence, offset), len(block))
            if not taken:
                return

    def backward(self, end: int | None, *, is_newest: bool) -> "Iterator[Chunk]":
        size = os.fstat(self._fd).st_size
        end = size if end is None else min(end, size)
        wanted, block_bytes = self._wanted, _FIRST_BLOCK_BYTES
        if wanted.since_us > self.index.last_time_us():
            return
        if wanted.until_us is not None:
            end = min(end, self._line_from(self.index.after_time(wanted.until_us)))
        while end > 0:
            start = max(0, end - block_bytes)
            block = os.pread(self._fd, end - start, start)
            if len(block) < end - start:
                return  # cut short meanwhile
            has_newline = block.endswith(b"\n")
            next_offset = None if has_newline or not is_newest or end < size else self._line_begin(end)
            first = block.find(b"\n") + 1 if start else 0
            if start and first in (0, len(block)):
                start = max([self._line_begin(end - 1), *self._cuts(self._line_begin(end - 1), end)])
                lines = self._long_line(start, end - start - has_newline, end if next_offset is None else start)
            else:
                start += first
                lines = self._lines(block[first:], start, next_offset)
            yield Chunk(lines[::-1], (self._sequence, start), end - start)
            end, block_bytes = start, min(block_bytes * 2, _BLOCK_BYTES)
            if wanted.since_us and self.index.at_offset(start).time_us < wanted.since_us:
                return

    # Lines

    def _lines(self, block: bytes, base: int, open_offset: int | None = None) -> list[Line]:
        """The wanted lines of a block of whole lines; `open_offset`: where the last one begins, if it lacks its newline and may get it."""
        of, sequence, found = self._of, self._sequence, []
        begins = [base, *self._cuts(base, base + len(block))]
        if open_offset is not None:
            open_offset = max(open_offset, begins[-1])
        for begin, over in zip(begins, [*begins[1:], base + len(block)], strict=True):
            part = block[begin - base : over - base] if len(begins) > 1 else block
            for start, end in self._pick(part):
                next_offset = begin + end + (end < len(part)) if begin + start != open_offset else open_offset
                found.append(Line(of.unit, of.stream, (sequence, begin + start), part[start:end], end - start, next_offset))
        return self._timed(found, base, base + len(block))

    def _cuts(self, begin: int, end: int) -> list[int]:
        """Where, within this part of the text, another run begins in the middle of a line."""
        index = self.index
        if self._is_of_one_run is None:
            self._is_of_one_run = index.at_offset(0).run == index.at_offset(self._size).run
        if self._is_of_one_run or index.at_offset(begin).run == index.at_offset(end - 1).run:
            return []
        entries = index.over(begin, end)
        changes = [entry.offset for before, entry in pairwise(entries) if entry.run != before.run]
        return [offset for offset in changes if begin < offset < end and os.pread(self._fd, 1, offset - 1) != b"\n"]

    def _long_line(self, start: int, size: int, next_offset: int) -> list[Line]:
        if not self._is_wanted(start, size):
            return []
        text = os.pread(self._fd, min(size, HEAD_BYTES), start)
        line = Line(self._of.unit, self._of.stream, (self._sequence, start), text, size, next_offset)
        return self._timed([line], start, start + size)

    def _timed(self, lines: list[Line], begin: int, end: int) -> list[Line]:
        """The lines with what the index says of them, without those of other times and runs."""
        if not lines:
            return lines
        entries = self.index.over(begin, end)
        number, last, wanted, kept = 0, len(entries) - 1, self._wanted, []
        for line in lines:
            while number < last and entries[number + 1].offset <= line.offset:
                number += 1
            entry = entries[number]
            if entry.time_us < wanted.since_us or (wanted.until_us is not None and entry.time_us > wanted.until_us):
                continue
            if wanted.runs is None or entry.run in wanted.runs:
                line.time_us, line.run = entry.time_us, entry.run
                line.continues = line.offset == 0 and bool(entry.flags & CONTINUES)
                kept.append(line)
        return kept

    def _is_wanted(self, start: int, size: int) -> bool:
        """Whether the patterns want a line that is too long to be held: it is looked at in windows."""
        wanted = self._wanted
        if wanted.pattern is None and wanted.exclude is None:
            return True
        is_found, offset = wanted.pattern is None, start
        while offset < start + size:
            before = int(offset > start)  # one byte more, so that "^" finds the begin of the line alone
            window = os.pread(self._fd, min(before + HEAD_BYTES + _OVERLAP_BYTES, before + start + size - offset), offset - before)
            if not window or (wanted.exclude is not None and wanted.exclude.search(window, before)):
                return False
            is_found = is_found or (wanted.pattern is not None and wanted.pattern.search(window, before) is not None)
            offset += HEAD_BYTES
        return is_found

    # Ends and begins

    def _line_from(self, offset: int) -> int:
        """The begin of the first line that begins here or later."""
        if offset == 0 or os.pread(self._fd, 1, offset - 1) == b"\n":
            return offset
        length, has_newline = self._line_end(offset, 0)
        return offset + length + has_newline

    def _line_end(self, offset: int, known: int) -> tuple[int, bool]:
        """(bytes up to the newline, whether there is one) of the line at `offset`, of which so many bytes are known to hold none."""
        while block := os.pread(self._fd, _BLOCK_BYTES, offset + known):
            if (newline := block.find(b"\n")) >= 0:
                return known + newline, True
            known += len(block)
        return known, False

    def _line_begin(self, offset: int) -> int:
        """The begin of the line that the byte at `offset` belongs to, or ends."""
        while offset > 0:
            start = max(0, offset - _BLOCK_BYTES)
            newline = os.pread(self._fd, offset - start, start).rfind(b"\n")
            if newline >= 0:
                return start + newline + 1
            offset = start
        return 0

    def _last_line_begin(self, size: int) -> int:
        """The end of the last whole line."""
        return size if size == 0 or os.pread(self._fd, 1, size - 1) == b"\n" else self._line_begin(size)
