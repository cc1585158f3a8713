"""supctl logs: byte-exact into pipes, harmless on terminals, and following across every way a log file changes."""

import os

import pytest

from supervisor.client.follow import ALL, LocalTail
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
    assert run(server.path, f"logs web -n {count}").out == expected


def test_a_unit_that_has_written_nothing_shows_nothing(server: RunningServer) -> None:
    ran = run(server.path, "logs db")
    assert (ran.status, ran.out, ran.err) == (0, b"", "")


def test_a_terminal_is_protected_unless_raw_is_asked_for(server: RunningServer, log: Log) -> None:
    log.write(b"title \x1b]0;owned\x07 end\n")
    going = Going(server.path, "logs web", on_terminal=True)
    assert going.end() == 0
    assert going.said == b"title \\x1b]0;owned\\x07 end\r\n"
    raw = Going(server.path, "logs --raw web", on_terminal=True)
    assert raw.end() == 0
    assert raw.said == b"title \x1b]0;owned\x07 end\r\n"


def test_several_units_are_told_apart_by_name(server: RunningServer, log: Log) -> None:
    log.write(b"from web\n")
    Log(server, "db").write(b"from db\n")
    assert run(server.path, "logs -u web -u db").text == "web | from web\ndb  | from db\n"


def test_grep_finds_the_last_that_match(server: RunningServer, log: Log) -> None:
    log.write(b"".join(b"%s %d\n" % (word, number) for number in range(5) for word in (b"good", b"bad")))
    assert run(server.path, "logs web --grep ^bad -n 2").out == b"bad 3\nbad 4\n"
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
    assert b"web | hello from web\n" in going.until(b"web\n")
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
    from supervisor.client.api import Client
    from supervisor.client.discovery import Place
    from supervisor.client.follow import RemoteTail

    log.write(BYTES + b"\nlast\n")
    tail = RemoteTail(Client(Place(server.path, "--socket")), "web")
    assert b"".join(tail.last(10)) == BYTES + b"\nlast\n"
    log.write(b"more\n")
    assert b"".join(tail.more()) == b"more\n"
    assert b"".join(tail.more()) == b""
    log.next_segment()
    log.write(b"another segment\n")
    assert b"".join(tail.more()) == b"another segment\n"


RUNS = (b"\xaa" * 16, b"\xbb" * 16)


@pytest.fixture
def timed(server: RunningServer, log: Log) -> Log:
    """Two runs: lines of 00:00:10 and 00:00:20 UTC in 1970."""
    from supervisor.client.logindex import Entry

    log.write(b"one\nTwo\n")
    with open(os.path.join(log.directory, "00000001.idx"), "wb") as index:
        index.write(Entry(0, 10_000_000, RUNS[0]).pack() + Entry(4, 20_000_000, RUNS[1]).pack())
    return log


BOUNDARY = f"-- web: run {'bb' * 16} --\n"
SELECTIONS = {
    "logs web": "one\nTwo\n",
    "logs web -r": f"Two\n-- web: run {'aa' * 16} --\none\n",
    "logs web --since @20": "Two\n",
    "logs web --until @19.5": "one\n",
    "logs web --run 0": "Two\n",
    "logs web --run -1": "one\n",
    "logs web --run bbbb": "Two\n",
    "logs web --grep two": "Two\n",
    "logs web --grep O": "",
    "logs web --since @1": f"one\n{BOUNDARY}Two\n",
    "logs web --since @1 -o cat": "one\nTwo\n",
    "logs web --since @1 -n 1": "Two\n",
    "logs web --run 0 -o json": f'{{"time_us": 20000000, "unit": "web", "run": "{"bb" * 16}", "text": "Two"}}\n',
}


@pytest.mark.parametrize(("line", "expected"), SELECTIONS.items(), ids=SELECTIONS.keys())
def test_lines_are_chosen(server: RunningServer, timed: Log, line: str, expected: str) -> None:
    ran = run(server.path, line)
    assert (ran.text, ran.err, ran.status) == (expected, "", 0)


def test_times_are_shown_with_their_zone(server: RunningServer, timed: Log) -> None:
    from datetime import datetime

    stamp, unit, text = run(server.path, "logs web -o short-iso --run -1").text.split()
    assert (datetime.fromisoformat(stamp).timestamp(), unit, text) == (10.0, "web:", "one")


REFUSED = {
    "logs web --since soon": "--since: expected a time such as",
    "logs web --run -2": "--run -2: the log of web holds 2 runs",
    "logs web --run cc": "--run cc: the log of web holds no run of that id",
    "logs web -f --since today": "-f shows what comes",
}


@pytest.mark.parametrize(("line", "expected"), REFUSED.items(), ids=REFUSED.keys())
def test_what_cannot_be_chosen_is_refused(server: RunningServer, timed: Log, line: str, expected: str) -> None:
    ran = run(server.path, line)
    assert (ran.status, ran.out) == (2, b"")
    assert expected in ran.err


def test_several_units_are_merged_by_time(server: RunningServer, timed: Log) -> None:
    from supervisor.client.logindex import Entry

    db = Log(server, "db")
    db.write(b"between\n")
    with open(os.path.join(db.directory, "00000001.idx"), "wb") as index:
        index.write(Entry(0, 15_000_000).pack())
    assert run(server.path, "logs web db").text == f"web | one\ndb  | between\n{BOUNDARY}web | Two\n"
