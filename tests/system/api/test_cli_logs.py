"""supctl logs: byte-exact into pipes, harmless on terminals, and following across every way a log file changes."""

import json
import os
from collections.abc import Callable

import pytest

from supervisor.client import logpages
from supervisor.client.api import Client
from supervisor.client.discovery import Place
from supervisor.client.errors import ApiError
from supervisor.client.follow import ALL, LocalTail, RemoteTail
from supervisor.client.logfilter import EVERYTHING, Filter, smart_case
from tests.system.api.fake_world import RunningServer
from tests.system.api.supctl import Going, run

BYTES = b"\xff\xfe raw \x1b[31mred\x1b[0m\r\nno newline at the end"


class Log:
    """A unit's log directory as supd makes it."""

    def __init__(self, server: RunningServer, unit: str) -> None:
        self.directory = os.path.join(server.world.log_root, unit)
        self.sequence = 0

    def segment(self, sequence: int) -> str:
        return os.path.join(self.directory, f"{sequence:08d}.log")

    def next_segment(self) -> None:
        os.makedirs(self.directory, exist_ok=True)
        self.sequence += 1
        open(self.segment(self.sequence), "xb").close()
        link = os.path.join(self.directory, "new")
        os.symlink(os.path.basename(self.segment(self.sequence)), link)
        os.replace(link, os.path.join(self.directory, "current"))

    def write(self, content: bytes) -> None:
        """By splice(2), as supd writes."""
        if not self.sequence:
            self.next_segment()
        reading, writing = os.pipe()
        os.write(writing, content)
        os.close(writing)
        file = os.open(self.segment(self.sequence), os.O_WRONLY)
        os.lseek(file, 0, os.SEEK_END)
        left = len(content)
        while left:
            left -= os.splice(reading, file, left)
        os.close(reading)
        os.close(file)


@pytest.fixture
def log(server: RunningServer) -> Log:
    return Log(server, "web")


def test_cat_into_a_pipe_is_byte_exact(server: RunningServer, log: Log) -> None:
    log.write(BYTES)
    assert run(server.path, "logs -o cat web").out == BYTES


@pytest.mark.parametrize(("count", "expected"), [("1", b"4\n"), ("3", b"2\n3\n4\n"), ("all", b"1\n2\n3\n4\n"), ("0", b"")])
def test_the_last_lines_go_over_segments(server: RunningServer, log: Log, count: str, expected: bytes) -> None:
    log.write(b"1\n2\n")
    log.next_segment()
    log.write(b"3\n4\n")
    assert run(server.path, f"logs web -o cat -n {count}").out == expected


def test_a_unit_that_has_written_nothing_shows_nothing(server: RunningServer) -> None:
    ran = run(server.path, "logs db")
    assert (ran.status, ran.out, ran.err) == (0, b"", "")


def test_a_line_of_any_length_is_one_json_object(server: RunningServer, log: Log) -> None:
    text = b'"\\\x1b' + "äöü€😀".encode() * 200_000 + b"\xff\xc3"  # over two pieces, and a character is cut where they meet
    log.next_segment()
    with open(log.segment(1), "wb") as file:
        file.write(text + b"\nnext\n")
    first, second = run(server.path, "logs web -o json").out.splitlines()
    assert json.loads(first)["text"] == text.decode("utf-8", "replace")
    assert json.loads(second)["text"] == "next"


def test_a_terminal_is_protected_unless_raw_is_asked_for(server: RunningServer, log: Log) -> None:
    log.write(b"title \x1b]0;owned\x07 end\n")
    going = Going(server.path, "logs -o cat web", on_terminal=True)
    assert going.end() == 0
    assert going.said == b"title \\x1b]0;owned\\x07 end\r\n"
    raw = Going(server.path, "logs -o cat --raw web", on_terminal=True)
    assert raw.end() == 0
    assert raw.said == b"title \x1b]0;owned\x07 end\r\n"


def test_several_units_are_told_apart_by_name(server: RunningServer, log: Log) -> None:
    log.write(b"from web\n")
    Log(server, "db").write(b"from db\n")
    assert [line.split(" ", 3)[3] for line in run(server.path, "logs -u web -u db").text.splitlines()] == ["web: from web", "db: from db"]


def test_grep_finds_the_last_that_match(server: RunningServer, log: Log) -> None:
    log.write(b"".join(b"%s %d\n" % (word, number) for number in range(5) for word in (b"good", b"bad")))
    assert run(server.path, "logs web -o cat --grep ^bad -n 2").out == b"bad 3\nbad 4\n"
    ran = run(server.path, "logs web --grep (")
    assert ran.status == 2
    assert ran.err.startswith("supctl: --grep: '(' is not a regular expression: ")


def follow(server: RunningServer, log: Log, line: str = "logs -f -o cat web") -> Going:
    log.write(b"first\n")
    going = Going(server.path, line)
    going.until(b"first\n")
    return going


def finish(going: Going, expected: bytes) -> None:
    going.until(expected[-8:])
    going.interrupt()
    assert going.end() == 130
    assert going.said == expected


def test_following_shows_what_is_spliced(server: RunningServer, log: Log) -> None:
    going = follow(server, log)
    log.write(b"second")
    going.until(b"second")
    log.write(b" third\n")
    finish(going, b"first\nsecond third\n")


def test_following_goes_over_to_the_next_segment(server: RunningServer, log: Log) -> None:
    going = follow(server, log)
    log.write(b"old end\n")
    log.next_segment()
    log.write(b"new begin\n")
    log.next_segment()
    log.write(b"newest!\n")
    finish(going, b"first\nold end\nnew begin\nnewest!\n")


@pytest.mark.parametrize(("held", "first"), [(1, 1), (5, 1), (1, 5)], ids=["the same number", "a lower number", "a higher number"])
def test_following_survives_the_removal_of_the_whole_directory(server: RunningServer, log: Log, held: int, first: int) -> None:
    log.sequence = held - 1
    log.next_segment()
    going = follow(server, log)
    os.unlink(log.segment(held))
    os.unlink(os.path.join(log.directory, "current"))
    os.rmdir(log.directory)
    log.sequence = first - 1
    log.next_segment()
    log.write(b"born again\n")
    finish(going, b"first\nborn again\n")


def test_following_goes_on_after_truncation(server: RunningServer, log: Log) -> None:
    going = follow(server, log)
    os.truncate(log.segment(1), 0)
    log.write(b"anew\n")
    finish(going, b"first\nanew\n")


def test_following_waits_for_a_log_that_is_not_born_yet(server: RunningServer, log: Log) -> None:
    Log(server, "db").write(b"db\n")
    going = Going(server.path, "logs -f web db")
    going.until(b"db")
    log.write(b"hello from web\n")
    assert b" web: hello from web\n" in going.until(b"web\n")
    going.interrupt()
    assert going.end() == 130


def test_the_tail_neither_loses_nor_repeats(server: RunningServer, log: Log) -> None:
    log.write(b"a\nb\n")
    tail = LocalTail(log.directory)
    assert b"".join(tail.last(1)) == b"b\n"
    assert b"".join(tail.more()) == b""
    log.write(b"c")
    log.next_segment()
    log.write(b"d\n")
    assert b"".join(tail.more()) == b"cd\n"
    tail.close()
    whole = LocalTail(log.directory)
    assert b"".join(whole.last(ALL)) == b"a\nb\ncd\n"
    whole.close()


def test_the_api_gives_the_same_bytes_to_whom_may_not_open_the_files(server: RunningServer, log: Log) -> None:
    log.write(BYTES + b"\nlast\n")
    tail = RemoteTail(Client(Place(server.path, "--socket")), "web")
    assert b"".join(tail.last(10)) == BYTES + b"\nlast\n"
    log.write(b"more\n")
    assert b"".join(tail.more()) == b"more\n"
    assert b"".join(tail.more()) == b""
    log.next_segment()
    log.write(b"another segment\n")
    assert b"".join(tail.more()) == b"another segment\n"


@pytest.mark.parametrize("choice", ["", "-n all", "-n 2", "-n 0"])
def test_cat_through_the_api_is_byte_exact_however_much_it_is(server: RunningServer, log: Log, choice: str) -> None:
    log.write(b"first\n")
    with open(log.segment(1), "ab") as file:
        file.write(b"\xff" * (3 << 20) + b"\n")
    log.next_segment()
    log.write(BYTES)
    exact = run(server.path, f"logs web -o cat {choice}").out
    server.world.log_root = os.path.relpath(server.world.log_root)  # a path that no client believes
    through_api = run(server.path, f"logs web -o cat {choice}")
    assert (through_api.out == exact, through_api.err, through_api.status) == (True, "", 0)
    assert len(exact) == {"-n 0": 0, "-n 2": len(BYTES)}.get(choice, 6 + (3 << 20) + 1 + len(BYTES))


RUNS = (b"\xaa" * 16, b"\xbb" * 16)


@pytest.fixture
def timed(server: RunningServer, log: Log) -> Log:
    """Two runs: lines of 00:00:10 and 00:00:20 UTC in 1970."""
    from supervisor.client.logindex import Entry

    log.write(b"one\nTwo\n")
    with open(os.path.join(log.directory, "00000001.idx"), "wb") as index:
        index.write(Entry(0, 10_000_000, RUNS[0]).pack() + Entry(4, 20_000_000, RUNS[1]).pack())
    return log


ONE, TWO = "Jan 01 00:00:10 web: one\n", "Jan 01 00:00:20 web: Two\n"
BOUNDARY = f"-- web: run {'bb' * 16} --\n"
TWO_AS_JSON = f'{{"time_us": 20000000, "unit": "web", "stream": "stdout", "run": "{"bb" * 16}", "text": "Two"}}\n'
SELECTIONS = {
    "logs web": f"{ONE}{BOUNDARY}{TWO}",
    "logs web -n 1": TWO,
    "logs web -r": f"{TWO}-- web: run {'aa' * 16} --\n{ONE}",
    "logs web --since @20": TWO,
    "logs web --until @19.5": ONE,
    "logs web --run 0": TWO,
    "logs web --run -1": ONE,
    "logs web --run bbbb": TWO,
    "logs --run bbbb": TWO,
    "logs db web --run -1": ONE,
    "logs web --grep two": TWO,
    "logs web --grep O": "",
    "logs web --since @1 -o cat": "one\nTwo\n",
    "logs web --since @1 -n 1": TWO,
    "logs web --run 0 -o json": TWO_AS_JSON,
    "logs web -o short-iso --run -1": "1970-01-01T00:00:10+00:00 web: one\n",
    "logs web --stderr": "",
}


@pytest.fixture(autouse=True)
def _in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")


@pytest.mark.parametrize(("line", "expected"), SELECTIONS.items(), ids=SELECTIONS.keys())
def test_lines_are_chosen(server: RunningServer, timed: Log, line: str, expected: str) -> None:
    ran = run(server.path, line)
    assert (ran.text, ran.err, ran.status) == (expected, "", 0)


def test_times_are_shown_with_their_zone(server: RunningServer, timed: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    assert run(server.path, "logs web -o short-iso --run -1").text == "1970-01-01T05:30:10+05:30 web: one\n"


CHOICES = {
    "all of it": EVERYTHING,
    "since a moment": Filter(since_us=20_000_000),
    "until a moment": Filter(until_us=19_000_000),
    "of one run": Filter(runs=frozenset({RUNS[0]})),
    "of several runs": Filter(runs=frozenset(RUNS)),
    "that match": Filter(pattern=smart_case("TWO|three")),
    "without some": Filter(exclude=smart_case("o")),
}


@pytest.mark.parametrize("read", [logpages.forward, logpages.backward], ids=["oldest first", "newest first"])
@pytest.mark.parametrize("wanted", CHOICES.values(), ids=CHOICES.keys())
def test_through_the_api_the_same_lines_are_read_as_from_the_files(
    server: RunningServer, timed: Log, read: Callable[..., logpages.Reading], wanted: Filter
) -> None:
    timed.next_segment()
    timed.write(b"three\n" * 2500)
    for _ in range(6):
        timed.write(b"x" * 50_000)
    timed.write(b"\nnot over")
    client = Client(Place(server.path, "--socket"))
    remote, local = logpages.remote_streams(client, "web"), logpages.streams_of("web", timed.directory)
    told = [(line.place, line.next_place, line.time_us, line.run, line.size_bytes, line.text[:100]) for line in read(remote, None, wanted)]
    assert told == [
        (line.place, line.next_place, line.time_us, line.run, line.size_bytes, line.text[:100]) for line in read(local, None, wanted)
    ]
    middle = read(local, None, wanted)
    middle.take(2)
    assert [line.place for line in read(remote, middle.cursor, wanted)] == [line.place for line in read(local, middle.cursor, wanted)]


def test_through_the_api_a_line_of_any_length_is_read_whole(server: RunningServer, log: Log) -> None:
    text = b"\xff" + b"0123456789" * 250_000  # of several answers
    log.next_segment()
    with open(log.segment(1), "wb") as file:
        file.write(b"short\n" + text + b"\nnext\n")
    out, _ = logpages.remote_streams(Client(Place(server.path, "--socket")), "web")
    assert [b"".join(out.whole(line)) for line in logpages.forward([out])] == [b"short", text, b"next"]


def test_following_through_the_api_misses_nothing_at_a_rotation(server: RunningServer, log: Log) -> None:
    client = Client(Place(server.path, "--socket"))
    reading = logpages.forward(logpages.remote_streams(client, "web"))
    tail = RemoteTail(client, "web")
    log.write(b"one\nhalf")
    assert [line.text for line in reading.take(9)] == [b"one", b"half"]
    assert b"".join(tail.last(9)) == b"one\nhalf"
    log.write(b" and half\nlast of the old\n")
    for number in range(3):
        log.next_segment()
        log.write(b"segment %d\n" % number)
    expected = [b"half and half", b"last of the old", b"segment 0", b"segment 1", b"segment 2"]
    assert [line.text for line in reading.take(9)] == expected
    assert b"half" + b"".join(tail.more()) == b"\n".join(expected) + b"\n"


Followed = Callable[[], bytes]  # what is new since it was asked the last time


def following(server: RunningServer, log: Log, reader: str) -> Followed:
    client = Client(Place(server.path, "--socket"))
    if "bytes" in reader:
        tail = RemoteTail(client, "web") if "API" in reader else LocalTail(log.directory)
        b"".join(tail.last(1))
        return lambda: b"".join(tail.more())
    streams = logpages.remote_streams(client, "web") if "API" in reader else logpages.streams_of("web", log.directory)
    reading = logpages.forward(streams, logpages.end_of(streams))
    return lambda: b"".join(line.text + b"\n" for line in reading)


@pytest.mark.parametrize("reader", ["bytes", "bytes through the API", "lines", "lines through the API"])
def test_following_shows_nothing_again_when_the_newest_segment_alone_is_removed(server: RunningServer, log: Log, reader: str) -> None:
    log.write(b"old\n")
    log.next_segment()
    log.write(b"held\n")
    more = following(server, log, reader)
    assert more() == b""
    os.unlink(log.segment(2))
    assert more() == b""
    log.next_segment()
    log.write(b"next\n")
    assert more() == b"next\n"


def test_what_is_no_file_under_a_segments_name_is_passed_over(server: RunningServer, log: Log) -> None:
    log.write(b"one\n")
    os.mkdir(log.segment(2))
    os.mkfifo(log.segment(3))
    os.mkdir(f"{log.segment(4)}.gz")
    for line in ("logs web -o cat", "logs web -o cat --since @1", "logs web -o cat -n 5"):
        ran = run(server.path, line)
        assert (ran.out, ran.err, ran.status) == (b"one\n", "", 0)
    assert Client(Place(server.path, "--socket")).log_bytes("web", 3)[0] == b"one\n"


def test_a_pattern_of_any_bytes_is_looked_for(server: RunningServer, log: Log) -> None:
    log.write(b"caf\xe9 ferm\xe9\ncaf\xc3\xa9\n")
    line = os.fsdecode(b"logs web -o cat --grep f\xe9")
    assert run(server.path, line).out == b"caf\xe9 ferm\xe9\n"


def test_a_page_that_cannot_be_is_refused(server: RunningServer) -> None:
    client = Client(Place(server.path, "--socket"))
    for query in ({"after": "x"}, {"after": "0:0", "before": "1:1"}, {"run": "zz"}, {"count": "0"}, {"stream": "x"}):
        with pytest.raises(ApiError) as refused:
            client.log_lines("web", query.pop("stream", "stdout"), query)
        assert (refused.value.status, refused.value.code) == (400, "bad-request")


def test_following_shows_times_and_chooses_lines(server: RunningServer, log: Log) -> None:
    log.write(b"old good\nold bad\n")
    going = Going(server.path, "logs -f web db --grep good -o short-iso")
    going.until(b"old good\n")
    log.write(b"new b")
    log.write(b"ad\nnew go")
    log.next_segment()
    log.write(b"od\n")
    Log(server, "db").write(b"good too\n")
    said = going.until(b"good too\n").decode()
    going.interrupt()
    assert going.end() == 130
    assert [line.split(" ", 1)[1] for line in said.splitlines()] == ["web: old good", "db: good too"]


REFUSED = {
    "logs web --since soon": "--since: expected a time such as",
    "logs web --run -2": "--run -2: the log of web holds 2 runs",
    "logs web --run cc": "--run cc: the log of web holds no run of that id",
    "logs web db --run -2": "--run -2: the logs of these units hold 2 runs at most",
    "logs web db --run cc": "--run cc: the logs of these units hold no run of that id",
    "logs db --run 0": "--run 0: the log of db holds no runs",
    "logs web -f --until today": "-f shows what comes",
    "logs web -f -r": "-f shows what comes",
}


@pytest.mark.parametrize(("line", "expected"), REFUSED.items(), ids=REFUSED.keys())
def test_what_cannot_be_chosen_is_refused(server: RunningServer, timed: Log, line: str, expected: str) -> None:
    ran = run(server.path, line)
    assert (ran.status, ran.out) == (2, b"")
    assert expected in ran.err


@pytest.mark.parametrize("choice", ["", "-n all", "-n 3"])
def test_last_words_without_a_newline_stand_at_their_time(server: RunningServer, timed: Log, choice: str) -> None:
    from supervisor.client.logindex import Entry

    db = Log(server, "db")
    db.write(b"good bye")
    with open(os.path.join(db.directory, "00000001.idx"), "wb") as index:
        index.write(Entry(0, 15_000_000).pack())
    shown = [ONE, "Jan 01 00:00:15 db: good bye\n", TWO]
    assert [line for line in run(server.path, f"logs web db {choice}").text.splitlines(True) if line != BOUNDARY] == shown
    assert run(server.path, "logs web db -n 1").text == TWO
    assert run(server.path, f"logs web db -o cat {choice}").text == "one\ngood bye\nTwo\n"
    assert run(server.path, f"logs web db -r {choice}").text.replace(f"-- web: run {'aa' * 16} --\n", "") == "".join(shown[::-1])


def test_several_units_are_merged_by_time(server: RunningServer, timed: Log) -> None:
    from supervisor.client.logindex import Entry

    db = Log(server, "db")
    db.write(b"between\n")
    with open(os.path.join(db.directory, "00000001.idx"), "wb") as index:
        index.write(Entry(0, 15_000_000).pack())
    assert run(server.path, "logs web db").text == f"{ONE}Jan 01 00:00:15 db: between\n{BOUNDARY}{TWO}"
