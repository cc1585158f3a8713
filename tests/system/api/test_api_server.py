"""The server against the world outside: limits, hostile bytes, foreign users, clients that leave, and the event stream."""

import contextlib
import gc
import json
import os
import socket
import subprocess
import sys
import warnings
from collections.abc import Iterator

import pytest

from supervisor.daemon.api.access import Access
from supervisor.daemon.api.server import Limits
from supervisor.daemon.api.service import Peer
from tests.system.api import raw
from tests.system.api.fake_world import RunningServer

NOBODY = 65534


def test_two_requests_share_a_connection(server: RunningServer) -> None:
    with raw.connect(server.path) as end:
        for _ in range(2):
            end.sendall(b"GET /v1/version HTTP/1.1\r\nHost: supd\r\n\r\n")
            assert raw.receive_answer(end)[0] == 200


def test_pipelined_requests_are_answered_in_order(server: RunningServer) -> None:
    first, second = b"GET /v1/units/web HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /v1/units/db HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with raw.connect(server.path) as end:
        end.sendall(first + second)
        content = raw.receive_all(end)
    assert content.count(b"HTTP/1.1 200") == 2
    assert content.index(b'"id":"web"') < content.index(b'"id":"db"')


def test_a_request_pipelined_behind_a_long_poll_is_answered(server: RunningServer) -> None:
    job = raw.ask(server.path, "POST", "/v1/units/slow/start")[1]["job"]
    with raw.connect(server.path) as end:
        end.sendall(f"GET /v1/jobs/{job}?wait=true HTTP/1.1\r\nHost: x\r\n\r\nGET /v1/version HTTP/1.0\r\n\r\n".encode())
        server.call(lambda: server.world.until_waiting(1))
        server.call(server.world.release)
        content = raw.receive_all(end)
    assert content.index(b'"result":"done"') < content.index(b'"keeper_pid"')


CHUNKED = b"POST /v1/shutdown HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
START = b"POST /v1/units/web/start HTTP/1.0\r\nContent-Length: "
KILL = b"POST /v1/units/web/kill HTTP/1.0\r\nContent-Length: "

HOSTILE = [
    ("a header beyond the limit", b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 40000 + b"\r\n\r\n", 431),
    ("a body said to be too large", b"POST /v1/shutdown HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n", 413),
    ("a chunked body that grows too large", CHUNKED + (b"10000\r\n" + b"x" * 65536 + b"\r\n") * 17, 413),
    ("bytes that are not HTTP", b"\x00\xff\x16\x03\x01 hello\r\n\r\n", 400),
    ("HTTP/1.1 without a host", b"GET /v1/status HTTP/1.1\r\n\r\n", 400),
    ("two lengths", b"POST /v1/shutdown HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}", 400),
    ("a body that is not JSON", START + b"5\r\n\r\n{mode", 400),
    ("a body that is not UTF-8", START + b"2\r\n\r\n\xff\xfe", 400),
    ("a body nested beyond measure", START + b"100000\r\n\r\n" + b"[" * 100000, 400),
    ("a number beyond measure", KILL + b"9011\r\n\r\n" + b'{"signal":' + b"9" * 9000 + b"}", 400),
    ("NaN", KILL + b'14\r\n\r\n{"signal":NaN}', 400),
]  # fmt: skip


@pytest.mark.parametrize(("sent", "status"), [row[1:] for row in HOSTILE], ids=[row[0] for row in HOSTILE])
def test_hostile_bytes_get_a_4xx_and_leave_the_server_well(server: RunningServer, sent: bytes, status: int) -> None:
    actual, _, body = raw.exchange(server.path, sent)
    assert (actual, set(json.loads(body)["error"])) == (status, {"code", "message", "unit", "hint"})
    assert raw.ask(server.path, "GET", "/v1/version")[0] == 200
    assert not [line for line in server.log_lines if "internal" in line]


def test_a_fault_of_ours_is_a_500_without_a_traceback(server: RunningServer) -> None:
    del server.world.units["web"]["load_state"]  # the manager breaks its own contract
    status, answer = raw.ask(server.path, "POST", "/v1/units/web/start")
    assert (status, answer["error"]["code"]) == (500, "internal")
    assert "load_state" not in json.dumps(answer)
    assert "KeyError('load_state')" in server.log_lines[-1]


@contextlib.contextmanager
def limited(directory: str, limits: Limits) -> Iterator[RunningServer]:
    with RunningServer(directory, limits=limits).running() as running:
        yield running


def test_beyond_the_limit_of_connections_the_answer_is_503_at_once(short_directory: str) -> None:
    with limited(short_directory, Limits(connections=2)) as server, raw.connect(server.path) as one, raw.connect(server.path) as two:
        for end in (one, two):
            end.sendall(b"GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
            assert end.recv(65536).startswith(b"HTTP/1.1 200 ")
        with raw.connect(server.path) as third:
            status, _, body = raw.parse(raw.receive_all(third))
        assert (status, json.loads(body)["error"]["code"]) == (503, "too-busy")


def test_who_owes_a_request_for_longest_gives_way_to_who_comes(short_directory: str) -> None:
    with limited(short_directory, Limits(connections=2)) as server, raw.connect(server.path) as one, raw.connect(server.path) as two:
        for end in (one, two, one):
            end.sendall(b"GET /v1/version HTTP/1.1\r\nHost: x\r\n\r\n")
            assert raw.receive_answer(end)[0] == 200
        one.sendall(b"GET /v1/ver")  # half a request is none
        assert raw.ask(server.path, "GET", "/v1/version")[0] == 200
        assert raw.receive_all(two) == b""
        one.sendall(b"sion HTTP/1.1\r\nHost: x\r\n\r\n")
        assert raw.receive_answer(one)[0] == 200


@pytest.mark.parametrize("sent", [b"", b"GET /v1/version HTTP/1.1\r\nHo", b"POST /v1/shutdown HTTP/1.0\r\nContent-Length: 5\r\n\r\n{"])
def test_silence_ends_the_connection(short_directory: str, sent: bytes) -> None:
    with limited(short_directory, Limits(idle_s=0.05)) as server, raw.connect(server.path) as end:
        end.sendall(sent)
        assert raw.receive_all(end) == b""


def test_a_waiting_client_that_leaves_frees_its_wait(server: RunningServer) -> None:
    job = raw.ask(server.path, "POST", "/v1/units/slow/start")[1]["job"]
    with raw.connect(server.path) as end:
        end.sendall(f"GET /v1/jobs/{job}?wait=true HTTP/1.0\r\n\r\n".encode())
        server.call(lambda: server.world.until_waiting(1))
    server.call(lambda: server.world.until_waiting(0))


def test_a_client_that_only_closed_its_sending_end_is_still_answered(server: RunningServer) -> None:
    job = raw.ask(server.path, "POST", "/v1/units/slow/start")[1]["job"]
    with raw.connect(server.path) as end:
        end.sendall(f"GET /v1/jobs/{job}?wait=true HTTP/1.0\r\n\r\n".encode())
        end.shutdown(socket.SHUT_WR)
        server.call(lambda: server.world.until_waiting(1))
        server.call(server.world.release)
        assert raw.parse(raw.receive_all(end))[0] == 200


def as_user(uid: int, gid: int, groups: list[int], path: str, request: str = "GET /v1/version") -> tuple[int, str]:
    """Ask for the version as a process of another uid: the status and the error's code."""
    program = (
        "import os, socket, sys\n"
        f"os.setgroups({groups!r}); os.setgid({gid}); os.setuid({uid})\n"
        f"s = socket.socket(socket.AF_UNIX); s.settimeout(10); s.connect({path!r})\n"
        f"s.sendall(b'{request} HTTP/1.0\\r\\n\\r\\n')\n"
        "data = b''\n"
        "while piece := s.recv(65536): data += piece\n"
        "sys.stdout.buffer.write(data)\n"
    )
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, timeout=20, check=True)
    status, _, body = raw.parse(done.stdout)
    return status, json.loads(body).get("error", {}).get("code", "")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize(
    ("owner", "group", "uid", "gid", "groups", "expected"),
    [
        (0, None, NOBODY, NOBODY, [], (403, "forbidden")),
        (NOBODY, None, NOBODY, NOBODY, [], (200, "")),
        (NOBODY, None, 0, 0, [], (200, "")),
        (0, 4321, NOBODY, NOBODY, [], (403, "forbidden")),
        (0, 4321, NOBODY, 4321, [], (200, "")),
        (0, 4321, NOBODY, NOBODY, [1, 4321], (200, "")),
        (0, None, NOBODY, 0, [0], (403, "forbidden")),
    ],
    ids=["a stranger", "the owner", "root", "a stranger to the group", "the primary group", "a supplementary group", "root's group"],
)
def test_access_is_by_the_peers_uid_and_groups(
    short_directory: str, owner: int, group: int | None, uid: int, gid: int, groups: list[int], expected: tuple[int, str]
) -> None:
    os.chmod(short_directory, 0o755)
    with RunningServer(short_directory, Access(owner, group)).running() as server:
        os.chmod(server.path, 0o666)  # the mode is the first fence; this is about the second
        assert as_user(uid, gid, groups, server.path) == expected
        refusals = [line for line in server.log_lines if line.startswith(f"api: refused uid {uid}")]
        assert len(refusals) == (1 if expected[0] == 403 else 0)


def test_a_level_below_the_routes_is_refused(short_directory: str) -> None:
    access = Access(owner_uid=NOBODY, group=os.getgid(), group_level="view")
    if os.getuid() == 0:
        os.chmod(short_directory, 0o755)
        with RunningServer(short_directory, Access(NOBODY, 4321, "view")).running() as server:
            os.chmod(server.path, 0o666)
            assert as_user(1234, 4321, [], server.path) == (200, "")
            assert as_user(1234, 4321, [], server.path, "POST /v1/shutdown") == (403, "forbidden")
            assert server.world.calls == []
    grant = access.grant_of(Peer(1234, os.getgid(), 1))
    assert grant is not None
    assert grant.level_everywhere() == "view"


def test_closing_the_server_ends_connections_whatever_they_are_at(short_directory: str) -> None:
    """One that says nothing, one that owes the rest of a request, and one that does not read what it asked for."""
    with warnings.catch_warnings(record=True) as caught, contextlib.ExitStack() as ends:
        warnings.simplefilter("always", ResourceWarning)
        with RunningServer(short_directory).running() as server:
            deaf = ends.enter_context(raw.connect(server.path))
            deaf.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: supd\r\n\r\n" * 100)
            assert deaf.recv(100).startswith(b"HTTP/1.1 200 ")
            ends.enter_context(raw.connect(server.path)).sendall(b"GET ")
            ends.enter_context(raw.connect(server.path))
            assert raw.ask(server.path, "GET", "/v1/version")[0] == 200  # who came before has been let in
        gc.collect()
    assert [str(warning.message) for warning in caught] == []


def test_closing_the_server_leaves_the_sockets_file(short_directory: str) -> None:
    with RunningServer(short_directory).running() as server:
        assert raw.ask(server.path, "GET", "/v1/version")[0] == 200
    assert os.path.exists(server.path)


class Events:
    """A reader of the stream, by hand."""

    def __init__(self, path: str, last_id: str | None = None, query: str = "") -> None:
        self.end = raw.connect(path)
        header = "" if last_id is None else f"Last-Event-ID: {last_id}\r\n"
        self.end.sendall(f"GET /v1/events{query} HTTP/1.1\r\nHost: x\r\n{header}\r\n".encode())
        self.file = self.end.makefile("rb")
        while self.file.readline() not in (b"\r\n", b""):
            pass

    def next(self) -> dict[str, object]:
        """The next event; skips the chunk sizes and the id and event lines, which repeat what data says."""
        while not (line := self.file.readline()).startswith(b"data: "):
            assert line, "the stream ended"
        event: dict[str, object] = json.loads(line[6:])
        return event

    def close(self) -> None:
        self.file.close()
        self.end.close()


def publish(server: RunningServer, *texts: str) -> None:
    server.call(lambda: [server.world.ring.publish({"unit": "web", "kind": "state", "text": text}) for text in texts])


def test_a_new_reader_sees_what_happens_after_the_answers_head(server: RunningServer) -> None:
    publish(server, "before")
    events = Events(server.path)
    publish(server, "after")
    assert events.next()["text"] == "after"
    events.close()


def test_a_reader_that_comes_back_misses_nothing(server: RunningServer) -> None:
    publish(server, "one", "two", "three")
    events = Events(server.path, "e1-1")
    publish(server, "four")
    assert [events.next()["text"] for _ in range(3)] == ["two", "three", "four"]
    events.close()


@pytest.mark.parametrize("last_id", ["e0-1", "e1-999", "e1--1", "nonsense", "e1-" + "9" * 500])
def test_an_id_that_is_gone_is_answered_by_one_reset(server: RunningServer, last_id: str) -> None:
    publish(server, "one")
    events = Events(server.path, last_id)
    publish(server, "two")
    first, second = events.next(), events.next()
    snapshot = first["snapshot"]
    assert isinstance(snapshot, list)
    assert (first["kind"], first["id"], len(snapshot), second["text"]) == ("reset", "e1-1", len(server.world.units), "two")
    events.close()


def test_an_id_that_left_the_ring_is_gone(server: RunningServer) -> None:
    publish(server, *map(str, range(70)))
    events = Events(server.path, "e1-3")
    assert events.next()["kind"] == "reset"
    events.close()


def test_marks_are_for_those_who_ask_for_them_and_are_not_kept(server: RunningServer) -> None:
    plain, marked = Events(server.path), Events(server.path, query="?changes=true")
    server.call(lambda: server.world.ring.mark({"kind": "changed", "unit": "", "units": ["db"]}))
    publish(server, "one")
    mark, after = marked.next(), marked.next()
    assert (mark, after["id"]) == ({"kind": "changed", "unit": "", "units": ["db"]}, "e1-1")
    assert plain.next()["text"] == "one"
    assert raw.ask(server.path, "GET", "/v1/events/recent")[1] == [after]
    plain.close()
    marked.close()


def test_a_slow_reader_gets_a_gap_and_the_end(server: RunningServer) -> None:
    events = Events(server.path)
    events.end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    publish(server, *["x" * 60_000] * 40)
    kinds: list[object] = []
    while not kinds or kinds[-1] != "gap":
        kinds.append(events.next()["kind"])
    assert kinds.count("gap") == 1
    assert events.file.read().strip().strip(b"\r\n0") == b""
    events.close()


def test_importing_the_api_package_costs_nothing() -> None:
    program = "import sys; before = set(sys.modules); import supervisor.daemon.api; print(sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout.strip() == "['supervisor', 'supervisor.daemon', 'supervisor.daemon.api']"
