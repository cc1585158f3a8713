"""A unit's log from its last lines onwards: across segments, replacement and truncation, without losing or repeating a byte.

A reader holds the descriptor of one segment and its position in it; a segment with a higher number, or another file under the same
name, is gone over to only after the held one has been read to its end. Two readers with one interface: `LocalTail` reads the files,
`RemoteTail` asks the API, for whom may not open them.
"""

import os

from supervisor.client.logfile import begins_anew, open_segment, segment_name, segments, tail_offset
from supervisor.client.loglines import BEGIN
from supervisor.client.logpages import RemoteStream, place_text, read_place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from supervisor.client.api import Client

CHUNK_BYTES = 256 * 1024
ALL = 1 << 62
REMOTE_PAUSE_S = 1.0  # the API cannot wake us for log bytes


class LocalTail:
    """The files of one unit."""

    pause_s: float | None = None

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self._descriptor = -1
        self._sequence = 0
        self._position = 0

    def last(self, lines: int) -> "Iterator[bytes]":
        """The last `lines` lines over all segments, in pieces; `more` goes on exactly after them."""
        held: list[tuple[int, int, int]] = []  # sequence, descriptor, offset; newest first
        wanted = lines
        for sequence in reversed(segments(self.directory)):
            descriptor = self._open(sequence)
            if descriptor < 0:
                continue
            offset, found = (0, 0) if lines >= ALL else tail_offset(descriptor, wanted, ALL)
            held.append((sequence, descriptor, offset))
            wanted -= found
            if wanted <= 0:
                break
        for sequence, descriptor, offset in reversed(held):
            self._hold(sequence, descriptor, offset)
            yield from self._rest()

    def more(self) -> "Iterator[bytes]":
        """What was written since, in pieces."""
        while True:
            yield from self._rest()
            following = self._following()
            if following is None:
                return
            yield from self._rest()  # what came between the look at the old one and the birth of the new one
            self._hold(*following, 0)

    def watched_paths(self) -> list[str]:
        """What to watch for news: the directory and the held segment; before the directory is born, the nearest one that exists."""
        directory = self.directory
        while not os.path.isdir(directory) and directory != "/":
            directory = os.path.dirname(directory)
        held = [os.path.join(directory, segment_name(self._sequence))] if self._descriptor >= 0 else []
        return [directory, *held]

    def _following(self) -> tuple[int, int] | None:
        """The segment to go over to: a later one, or another file under the number we hold; any, if ours was removed with all others."""
        numbers = segments(self.directory)
        is_gone = self._descriptor >= 0 and os.fstat(self._descriptor).st_nlink == 0 and max(numbers, default=0) < self._sequence
        is_anew = is_gone and begins_anew(self.directory, self._sequence)
        for sequence in numbers:
            if (sequence < self._sequence and not is_anew) or (sequence == self._sequence and self._is_packed(sequence)):
                continue
            descriptor = self._open(sequence)
            if descriptor < 0:
                continue
            if self._descriptor < 0 or not os.path.sameopenfile(descriptor, self._descriptor):
                return sequence, descriptor
            os.close(descriptor)
        return None

    def _is_packed(self, sequence: int) -> bool:
        """Whether the segment we hold was compressed since: the same text under another name."""
        return self._descriptor >= 0 and not os.path.lexists(os.path.join(self.directory, segment_name(sequence)))

    def _open(self, sequence: int) -> int:
        try:
            return open_segment(self.directory, sequence)
        except OSError:
            return -1  # removed since it was listed

    def _hold(self, sequence: int, descriptor: int, position: int) -> None:
        self.close()
        self._sequence, self._descriptor, self._position = sequence, descriptor, position

    def _rest(self) -> "Iterator[bytes]":
        if self._descriptor < 0:
            return
        if os.fstat(self._descriptor).st_size < self._position:
            self._position = 0  # truncated: what is in it now is new
        while piece := os.pread(self._descriptor, CHUNK_BYTES, self._position):
            self._position += len(piece)
            yield piece

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class RemoteTail:
    """The same through the API, in as many answers as it takes."""

    pause_s: float | None = REMOTE_PAUSE_S

    def __init__(self, client: "Client", unit: str) -> None:
        self._client = client
        self._unit = unit
        self._cursor = ""

    def last(self, lines: int) -> "Iterator[bytes]":
        _, end = self._client.log_bytes(self._unit)  # where it ends now: who writes on may not hold us for ever
        self._cursor = "0:0" if lines >= ALL else self._begin_of(lines) if lines else end
        while read_place(self._cursor) < read_place(end):
            before = self._cursor
            content, self._cursor = self._client.log_bytes(self._unit, after=before)
            if not content:
                return
            yield content

    def _begin_of(self, lines: int) -> str:
        """The cursor of the first of the last lines; of the begin where there are not as many."""
        wanted, begin = lines, BEGIN
        for chunk in RemoteStream(self._client, self._unit).backward():
            for line in chunk.lines:
                begin, wanted = line.place, wanted - 1
                if not wanted:
                    return place_text(begin)
        return place_text(begin)

    def more(self) -> "Iterator[bytes]":
        while True:
            content, self._cursor = self._client.log_bytes(self._unit, after=self._cursor)
            if not content:
                return
            yield content

    def watched_paths(self) -> list[str]:
        return []

    def close(self) -> None:
        """Nothing is held."""
