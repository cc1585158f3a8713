"""Forwarding to journald and syslog: what is sent, in which form, and that no receiver holds anything up."""

import errno
import os
import re
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from supervisor.client.loglines import Line
from supervisor.daemon import forwardformats as formats
from supervisor.daemon.forwarding import Forwarding, Sender
from supervisor.model.specification import Log
from tests.system.logs.conftest import DEADLINE_S, Pumping

RUN = "ab" * 16


def line(text: bytes, unit: str = "web") -> Line:
    made = Line(unit, "stderr", (1, 0), text, len(text), len(text) + 1)
    made.time_us, made.run = 1_767_323_096_250_000, bytes.fromhex(RUN)
    return made


PRIORITIES = {b"plain": (6, b"plain"), b"<3>bad": (3, b"bad"), b"<8>no": (6, b"<8>no"), b"<3": (6, b"<3"), b"<0>": (0, b"")}


@pytest.mark.parametrize(("text", "expected"), PRIORITIES.items())
def test_a_line_may_begin_with_its_priority(text: bytes, expected: tuple[int, bytes]) -> None:
    assert formats.priority_of(text) == expected


def test_the_forms_of_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    assert formats.journal(line(b"<4>take care \xff")) == [
        b"SYSLOG_IDENTIFIER=web\nPRIORITY=4\nSYSLOG_FACILITY=3\nSUPD_UNIT=web\nSUPD_STREAM=stderr\n"
        + f"SUPD_RUN={RUN}\n".encode()
        + b"MESSAGE=take care \xff\n"
    ]
    assert formats.rfc5424(line(b"hello"), "host") == [b"<30>1 2026-01-02T03:04:56.250000Z host web - - - hello"]
    (local,) = formats.local_syslog(line(b"hello"))
    assert re.fullmatch(rb"<30>Jan  [12] \d\d:04:56 web: hello", local)


def test_a_line_too_long_for_the_receiver_is_sent_in_pieces() -> None:
    text = b"x" * (formats.SYSLOG_LINE_BYTES + 5)
    first, second = formats.rfc5424(line(text), "host")
    assert first.removeprefix(second[: -len(b"xxxxx")]) + b"xxxxx" == text
    assert len(formats.journal(line(b"x" * (formats.JOURNAL_LINE_BYTES * 2 + 1)))) == 3


class Kept:
    """Where things stand, as the keeper remembers it; and what was said."""

    def __init__(self) -> None:
        self.places: dict[str, str] = {}
        self.said: list[str] = []


Begin = Callable[..., Forwarding]


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def begin(pumping: Pumping, kept: Kept) -> Iterator[Begin]:
    made = []

    def start(journald: str = "/nonexistent", **options: int) -> Forwarding:
        sender = lambda destination: Sender(destination, journald)  # noqa: E731 (a partial would hide the order)
        made.append(Forwarding(pumping.pump, kept.places, kept.places.update, kept.said.append, sender, **options))
        return made[-1]

    yield start
    for forwarding in made:
        forwarding.close(DEADLINE_S)


@pytest.fixture
def place() -> Iterator[Path]:
    """A short directory: a socket's path has 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="fwd-") as directory:
        yield Path(directory)


def listening(path: Path) -> socket.socket:
    end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    end.bind(str(path))
    end.settimeout(DEADLINE_S)
    return end


def write(pumping: Pumping, unit: str, *texts: bytes) -> None:
    fd = pumping.pump.open_pipe(unit)
    for text in texts:
        os.write(fd, text)
        pumping.pump.drain(unit.partition("/")[0])


def test_journald_gets_whole_lines_of_both_streams_and_only_of_units_that_ask(pumping: Pumping, begin: Begin, place: Path) -> None:
    journald = listening(place / "journal")
    write(pumping, "web", b"before\n")
    pumping.pump.configure("web", Log(forward=("journald",)))
    begin(str(place / "journal"))
    assert journald.recv(9999).endswith(b"MESSAGE=before\n")  # this pump moved it, so nobody else has sent it
    write(pumping, "db", b"not asked\n")
    write(pumping, "web", b"ha", b"lf\n")
    assert journald.recv(9999).endswith(b"SUPD_STREAM=stdout\nMESSAGE=half\n")
    write(pumping, "web/stderr", b"error\n")
    assert journald.recv(9999).endswith(b"SUPD_STREAM=stderr\nMESSAGE=error\n")
    journald.close()


def test_syslog_by_udp_and_tcp(pumping: Pumping, begin: Begin) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.create_server(("127.0.0.1", 0)) as tcp:
        udp.bind(("127.0.0.1", 0))
        udp.settimeout(DEADLINE_S)
        tcp.settimeout(DEADLINE_S)
        ports = [end.getsockname()[1] for end in (udp, tcp)]
        begin()
        pumping.pump.configure("web", Log(forward=(f"syslog:udp:127.0.0.1:{ports[0]}", f"syslog:tcp:127.0.0.1:{ports[1]}")))
        write(pumping, "web", b"<3>one\ntwo\n")
        assert [udp.recv(9999).split(b" ", 2)[0] for _ in range(2)] == [b"<27>1", b"<30>1"]
        connection, _ = tcp.accept()
        with connection, connection.makefile("rb") as lines:
            assert [lines.readline().rpartition(b" - ")[2] for _ in range(2)] == [b"one\n", b"two\n"]


def test_a_receiver_that_is_away_or_slow_holds_up_nobody_and_gets_everything_when_it_is_back(
    pumping: Pumping, begin: Begin, place: Path, kept: Kept
) -> None:
    away, there = str(place / "away"), str(place / "there")
    good = listening(place / "there")
    forwarding = begin()
    pumping.pump.configure("web", Log(forward=(f"syslog:{away}", f"syslog:{there}"), max_size_bytes=4096, keep=100))
    expected = [b"line %d" % number for number in range(2000)]
    for start in range(0, 2000, 50):  # over many segments, and far more than the receiver's queue of datagrams holds
        write(pumping, "web", b"".join(text + b"\n" for text in expected[start : start + 50]))
    assert pumping.pump.lost_bytes("web") == 0
    assert [good.recv(9999).rpartition(b": ")[2] for _ in expected] == expected
    assert forwarding.notes() == [f"cannot forward logs to syslog:{away}: No such file or directory; lines are kept and sent later"]
    late = listening(place / "away")
    assert [late.recv(9999).rpartition(b": ")[2] for _ in expected] == expected
    forwarding.close(DEADLINE_S)
    assert forwarding.notes() == []
    assert kept.said[0] == f"cannot forward logs to syslog:{away}: No such file or directory; they are kept and sent later"
    assert kept.said[-1] == f"logs are forwarded to syslog:{away} again; 0 bytes were skipped so far"
    good.close()
    late.close()


def test_a_stream_without_news_does_not_pass_for_a_receiver_that_is_back(pumping: Pumping, kept: Kept) -> None:
    attempts = threading.Semaphore(0)

    class Away(Sender):
        def send(self, line: Line) -> None:
            attempts.release()
            raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")

    forwarding = Forwarding(pumping.pump, kept.places, kept.places.update, kept.said.append, Away)
    pumping.pump.configure("web", Log(forward=("syslog:udp:127.0.0.1:9",)))
    for number in range(4):  # each line has the empty stream of standard error looked at too
        write(pumping, "web", b"line %d\n" % number)
        assert attempts.acquire(timeout=DEADLINE_S)
    forwarding.close(DEADLINE_S)
    assert kept.said == ["cannot forward logs to syslog:udp:127.0.0.1:9: Connection refused; they are kept and sent later"]


def test_what_is_too_far_behind_is_skipped_counted_and_said(pumping: Pumping, begin: Begin, place: Path) -> None:
    pumping.pump.configure("web", Log(forward=(f"syslog:{place}/late",)))
    forwarding = begin(lag_max_bytes=1000)
    write(pumping, "web", b"x" * 1500 + b"\n")
    deadline = threading.Event()
    while not any("too far behind" in note for note in forwarding.notes()):
        assert not deadline.wait(0.01)
    late = listening(place / "late")
    write(pumping, "web", b"fresh\n")
    assert late.recv(9999).endswith(b"web: fresh")
    assert forwarding.notes()[-1] == f"1501 bytes of logs were not forwarded to syslog:{place}/late: it was too far behind"
    late.close()


def test_the_next_manager_goes_on_where_the_last_one_stood(pumping: Pumping, begin: Begin, place: Path, kept: Kept) -> None:
    receiver = listening(place / "log")
    pumping.pump.configure("web", Log(forward=(f"syslog:{place}/log",)))
    first = begin()
    write(pumping, "web", b"one\n")
    assert receiver.recv(9999).endswith(b"web: one")
    first.close(DEADLINE_S)
    assert kept.places[f"forward:syslog:{place}/log web"] == "1:4"
    write(pumping, "web", b"two\n")  # nobody forwards at this moment
    begin()
    assert receiver.recv(9999).endswith(b"web: two")
    receiver.close()
