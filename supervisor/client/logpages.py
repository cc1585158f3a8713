"""Logs of any units as one log, read page by page in either direction: what `supctl logs`, the terminal UI and the API stand on.

    streams = streams_of("web", "/.../logs/web") + streams_of("db", "/.../logs/db")     # or remote_streams(client, "web")
    page = backward(streams)                  # from the end, newest first; or forward(streams): from the begin, oldest first
    lines = page.take(100)                    # at most so many `Line`s: unit, stream, time_us, run, text (bytes), size_bytes, ends
    page.take(100)                            # the hundred after those: older ones, or newer ones
    later = forward(streams, page.cursor)     # a cursor is a plain value: from it one can read on at any time, in either direction
    forward(streams, wanted=Filter(since_us=..., until_us=..., runs=..., pattern=smart_case("refused"), exclude=...))

To follow: `forward` from the cursor of where one stands, and `take` again whenever the files or the clock say so; a reading that came to
the end goes on with what was written since. A last line that has no newline yet comes after all others, with `ends` False, and comes
again, whole, later. Who will not ask again takes it `in_time`: many a program ends without a newline, and its last words are as old as
they are.
To show a window: `backward` and `forward` from one cursor never show a line twice and leave none out.

Laws:
- Lines come merged by time; those of one stream keep their order, whatever its clock did, and none is lost or repeated.
- `take` looks at no more than `scan_limit_bytes` (default: no limit), so that a filter that finds nothing cannot hold the caller: fewer
  lines came, `is_over` is False, and `take` goes on from there.
- A cursor belongs to its streams and its filter: what the filter left out is behind it. For another filter read anew from a cursor
  of an unfiltered reading, or from a time. A stream that the cursor does not name begins at the end (`backward`) or the begin (`forward`).
- A stream may be on this machine (`LocalStream`) or behind the API (`RemoteStream`); a reading does not know which.
"""

from heapq import heappop, heappush

from supervisor.client.logfilter import EVERYTHING, Filter
from supervisor.client.logindex import run_bytes
from supervisor.client.loglines import BEGIN, END, ERR, OUT, Chunk, Line, LocalStream
from supervisor.client.terminal import neutralise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any, Protocol

    from supervisor.client.api import Client
    from supervisor.client.loglines import Place

    class Stream(Protocol):
        """Where lines come from."""

        unit: str
        stream: str

        def forward(self, place: Place, wanted: Filter = EVERYTHING) -> Iterator[Chunk]: ...

        def backward(self, place: Place = END, wanted: Filter = EVERYTHING) -> Iterator[Chunk]: ...

        def whole(self, line: Line) -> Iterator[bytes]: ...

        def runs(self) -> list[bytes]: ...

    Cursor = dict[tuple[str, str], Place]  # (unit, stream): place

PAGE_LINES_MAX = 1_000  # of one answer of the API
PAGE_BYTES_MAX = 256 << 10  # of text in it, about
LINE_BYTES_MAX = 64 << 10  # of one line in it; its size tells that there is more
SCAN_BYTES_MAX = 64 << 20  # looked at for one answer
LAST_LIMIT_BYTES = 4 << 20  # a person asked for lines, not for a gigabyte without a newline
_FIRST_PAGE_LINES = 100
_RUNS_MAX = 10_000
_LAST_US = 1 << 62  # of a line that is not over: after all that are


def streams_of(unit: str, directory: str) -> "list[Stream]":
    """Both streams of a unit whose log lies in `directory`; one that was never written, or does not exist yet, is empty."""
    return [LocalStream(unit, directory), LocalStream(unit, directory, ERR)]


def remote_streams(client: "Client", unit: str) -> "list[Stream]":
    """The same through the API, for whom may not open the files."""
    return [RemoteStream(client, unit), RemoteStream(client, unit, ERR)]


def forward(
    streams: "Sequence[Stream]", cursor: "Cursor | None" = None, wanted: Filter = EVERYTHING, *, in_time: bool = False
) -> "Reading":
    """Oldest first, from the cursor or the begin. `in_time`: an open last line too stands at its time."""
    return Reading(streams, cursor or {}, wanted, is_forward=True, in_time=in_time)


def backward(
    streams: "Sequence[Stream]", cursor: "Cursor | None" = None, wanted: Filter = EVERYTHING, *, in_time: bool = False
) -> "Reading":
    """Newest first, from the cursor or the end. `in_time`: an open last line too stands at its time."""
    return Reading(streams, cursor or {}, wanted, is_forward=False, in_time=in_time)


def end_of(streams: "Sequence[Stream]") -> "Cursor":
    """The cursor of the end as it is now, a last line without its newline not counted: to show what is there, and follow from there."""
    found = {}
    for stream in streams:
        newest = next((line for chunk in stream.backward() for line in chunk.lines), None)
        found[stream.unit, stream.stream] = newest.next_place if newest is not None else BEGIN
    return found


def last_texts(streams: "Sequence[Stream]", count: int) -> list[str]:
    """The last `count` lines for a person, oldest first: decoded with replacement, terminal escapes neutralised. About 4 MiB at most."""
    reading = backward(streams, in_time=True)
    texts: list[str] = []
    left_bytes = LAST_LIMIT_BYTES
    while len(texts) < count and left_bytes > 0 and (found := reading.take(1, left_bytes)):
        texts.append(neutralise(found[0].text.removesuffix(b"\r").decode("utf-8", "replace")))
        left_bytes -= len(found[0].text) + 1
    return texts[::-1]


class Reading:
    """An iterator of `Line`s over several streams. `is_over`: the end (or the begin) was reached."""

    def __init__(self, streams: "Sequence[Stream]", cursor: "Cursor", wanted: Filter, *, is_forward: bool, in_time: bool = False) -> None:
        first = BEGIN if is_forward else END
        self._feeds = [_Feed(one, cursor.get((one.unit, one.stream), first), wanted, is_forward, n) for n, one in enumerate(streams)]
        self._in_time = in_time
        self._ready: list[tuple[int, int, _Feed]] = []  # a heap of those that have a line
        self._hungry: list[_Feed] = []  # those that may have one
        self.is_over = True

    @property
    def cursor(self) -> "Cursor":
        """Where the reading stands: after the last line it gave."""
        return {feed.name: feed.place for feed in self._feeds}

    def take(self, count: int, scan_limit_bytes: int = 1 << 62) -> list[Line]:
        """The next lines, at most `count`; fewer when there are no more now, or so many bytes were looked at."""
        taken: list[Line] = []
        if self.is_over:
            self._hungry = [feed for feed in self._feeds if feed.begin_again()]
            self.is_over = False
        while len(taken) < count:
            while self._hungry:
                feed = self._hungry[-1]
                while not feed.lines and not feed.is_over:
                    if scan_limit_bytes <= 0:
                        return taken
                    scan_limit_bytes -= feed.fill()
                self._hungry.pop()
                if feed.lines:
                    heappush(self._ready, feed.key(in_time=self._in_time))
            if not self._ready:
                self.is_over = True
                break
            _, _, feed = heappop(self._ready)
            taken.append(feed.take())
            self._hungry.append(feed)
        return taken

    def __iter__(self) -> "Iterator[Line]":
        """All that there are up to the end."""
        yield from self.take(1000)
        while not self.is_over:
            yield from self.take(1000)


class _Feed:
    """One stream's side of a reading. `lines`: read and not taken yet, the next one last."""

    def __init__(self, stream: "Stream", place: "Place", wanted: Filter, is_forward: bool, number: int) -> None:
        self.name = (stream.unit, stream.stream)
        self.place = place
        self.lines: list[Line] = []
        self.is_over = False
        self._stream = stream
        self._wanted = wanted
        self._is_forward = is_forward
        self._number = number
        self._chunks: Iterator[Chunk] | None = None
        self._after: Place = place

    def begin_again(self) -> bool:
        """Ask the stream from where this feed stands; False where nothing can come any more."""
        if self._is_forward:
            self.is_over = False
        if self._chunks is None and not self.is_over:
            read = self._stream.forward if self._is_forward else self._stream.backward
            self._chunks = read(self.place, self._wanted)
        return not self.is_over

    def fill(self) -> int:
        """Read one block more; how many bytes that were (1 at least)."""
        chunk = next(self._chunks, None) if self._chunks is not None else None
        if chunk is None:
            self.is_over, self._chunks = True, None
            return 1
        self.lines, self._after = chunk.lines[::-1], chunk.place
        if not self.lines:
            self.place = chunk.place
        return max(chunk.scanned_bytes, 1)

    def key(self, *, in_time: bool) -> "tuple[int, int, _Feed]":
        line = self.lines[-1]
        time_us = line.time_us if line.ends or in_time else _LAST_US
        return (time_us, self._number, self) if self._is_forward else (-time_us, -self._number, self)

    def take(self) -> Line:
        line = self.lines.pop()
        if not self.lines:
            self.place = self._after
        else:
            self.place = line.next_place if self._is_forward else line.place
        return line


def page(stream: LocalStream, place: "Place", count: int, wanted: Filter, *, is_forward: bool) -> "tuple[list[Line], Place, bool]":
    """One answer of the API: (lines in the order of reading, where the next page begins, whether there is no more now).

    At most `count` lines and about PAGE_BYTES_MAX of text (one line at least); about SCAN_BYTES_MAX are looked at.
    """
    reading = Reading([stream], {(stream.unit, stream.stream): place}, wanted, is_forward=is_forward)
    lines: list[Line] = []
    size_bytes = 0
    while len(lines) < min(count, PAGE_LINES_MAX) and size_bytes < PAGE_BYTES_MAX:
        more = reading.take(1, SCAN_BYTES_MAX)
        if not more:
            break
        lines += more
        size_bytes += min(more[0].size_bytes, LINE_BYTES_MAX)
    is_over = reading.is_over or (is_forward and bool(lines) and not lines[-1].ends)
    return lines, reading.cursor[stream.unit, stream.stream], is_over


class RemoteStream:
    """A stream behind the API. The daemon chooses by time and run; patterns are looked for here: it runs nobody's expressions."""

    def __init__(self, client: "Client", unit: str, stream: str = OUT) -> None:
        self._client = client
        self.unit = unit
        self.stream = stream

    def forward(self, place: "Place", wanted: Filter = EVERYTHING) -> "Iterator[Chunk]":
        return self._pages("after", place, wanted)

    def backward(self, place: "Place" = END, wanted: Filter = EVERYTHING) -> "Iterator[Chunk]":
        return self._pages("before", place, wanted)

    def whole(self, line: Line) -> "Iterator[bytes]":
        """The bytes of a line in pieces, however long it is; of a standard error as much as a page gives of one (LINE_BYTES_MAX)."""
        if line.size_bytes <= LINE_BYTES_MAX or self.stream == ERR:
            yield line.text
            return
        left_bytes, cursor = line.size_bytes, place_text(line.place)
        while left_bytes > 0:
            piece, cursor = self._client.log_bytes(self.unit, after=cursor)
            if not piece:
                return  # the segment went
            yield piece[:left_bytes]
            left_bytes -= len(piece)

    def runs(self) -> list[bytes]:
        """Every run that history knows of the unit, oldest first."""
        return [run_bytes(str(run["run_id"])) for run in self._client.history(self.unit, _RUNS_MAX)]

    def _pages(self, direction: str, place: "Place", wanted: Filter) -> "Iterator[Chunk]":
        count, is_over = _FIRST_PAGE_LINES, False
        while not is_over:
            query = {direction: place_text(place), "count": str(count)}
            if wanted.since_us:
                query["since_us"] = str(wanted.since_us)
            if wanted.until_us is not None:
                query["until_us"] = str(wanted.until_us)
            if wanted.runs is not None and len(wanted.runs) == 1:
                query["run"] = next(iter(wanted.runs)).hex()
            told = self._client.log_lines(self.unit, self.stream, query)
            place, is_over, count = read_place(told["next"]), bool(told["is_over"]), PAGE_LINES_MAX
            lines = [self._line(row) for row in told["lines"]]
            found = [line for line in lines if wanted.accepts(line.text) and (wanted.runs is None or line.run in wanted.runs)]
            yield Chunk(found, place, sum([line.size_bytes for line in lines]))

    def _line(self, row: "dict[str, Any]") -> Line:
        next_offset = read_place(row["next"])[1]
        line = Line(self.unit, self.stream, read_place(row["place"]), row["text"].encode(), int(row["size_bytes"]), next_offset)
        line.time_us, line.run, line.continues = int(row["time_us"]), bytes.fromhex(row["run"]), bool(row["continues"])
        return line


def row_of(line: Line) -> "dict[str, Any]":
    """A line as the API gives it; bytes that are no UTF-8 are replaced."""
    return {
        "place": place_text(line.place),
        "next": place_text(line.next_place),
        "time_us": line.time_us,
        "run": line.run.hex(),
        "text": line.text[:LINE_BYTES_MAX].decode("utf-8", "replace"),
        "size_bytes": line.size_bytes,
        "ends": line.ends,
        "continues": line.continues,
    }


def place_text(place: "Place") -> str:
    return f"{place[0]}:{place[1]}"


def read_place(text: str) -> "Place":
    """The place that `place_text` wrote. Raises ValueError for anything else."""
    sequence, _, offset = text.partition(":")
    if not (sequence.isascii() and sequence.isdigit() and offset.isascii() and offset.isdigit() and len(text) < 48):
        raise ValueError(f"{text[:60]!r} is not a place in a log")
    return int(sequence), int(offset)
