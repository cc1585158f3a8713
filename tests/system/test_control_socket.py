"""The control socket of a real supd among clients that know no HTTP, no haste and no end: it answers the others, and is no bigger after."""

import os
import select
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.system.arrival import Deadline
from tests.system.supd import Supd

GENERATED = settings.get_profile("generated")
BYTES = settings(GENERATED, max_examples=max(GENERATED.max_examples // 4, 1))
IDLE = 500  # connections, twice what supd holds at once


@pytest.fixture(scope="module")
def supd() -> Iterator[Supd]:
    made = Supd({"web": '[unit]\nstart_limit_interval_sec = 0\n[service]\nexec_start = "sleep 1000"\n'})
    try:
        made.start()
        made.wait_until("web", "active")
        made.supctl("history", "web")  # it is open from now on, and counts among the descriptors of before
        before = made.get("/v1/version")
        yield made
        assert made.get("/v1/version") == before, f"a manager died of it:\n{made.said()}"
        assert "Traceback" not in made.said() and "internal error" not in made.said()
        made.stop()
    finally:
        made.remove()


def descriptors(supd: Supd) -> int:
    return len(os.listdir(f"/proc/{supd.get('/v1/version')['manager_pid']}/fd"))


def connect(supd: Supd) -> socket.socket:
    end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    end.settimeout(20.0)
    end.connect(supd.socket_path)
    return end


WHOLE = (
    b"GET /v1/units HTTP/1.1\r\nHost: x\r\n\r\n",
    b'POST /v1/units/web/start HTTP/1.1\r\nHost: x\r\nContent-Length: 18\r\n\r\n{"mode":"replace"}',
    b"GET /v1/jobs/1?wait=true HTTP/1.0\r\n\r\n",
    b"POST /v1/units/web/reset-failed HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
)
PIECES = st.one_of(st.binary(max_size=20), st.sampled_from([b"\r\n", b"\0", b"\xff\xfe", b"9" * 30, b": ", b"%00", b" HTTP/1.1"]))


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    """A whole request or two, out of which or into which some bytes were put."""
    raw = b"".join(draw(st.lists(st.sampled_from(WHOLE), min_size=1, max_size=2)))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(raw)))
        raw = raw[:at] + draw(PIECES) + raw[at + draw(st.integers(0, 10)) :]
    return raw[: draw(st.integers(0, len(raw)))] if draw(st.booleans()) else raw


@BYTES
@given(st.one_of(spoilt(), st.binary(max_size=200)))
def test_whatever_bytes_come_the_answer_is_none_or_one_of_http(supd: Supd, raw: bytes) -> None:
    answer = supd.send_raw(raw)
    assert not answer or (answer.startswith(b"HTTP/1.1 ") and answer[9:10] in b"1245" and answer[9:10] != b"5"), answer[:200]


@pytest.mark.parametrize("begun", [b"", b"GET /v1/un", b"POST /v1/units/web/stop HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{"])
def test_five_hundred_that_hold_their_peace_hold_nobody_up(supd: Supd, begun: bytes) -> None:
    before = descriptors(supd)
    idle = [connect(supd) for _ in range(IDLE)]
    try:
        for end in idle:
            try:
                end.sendall(begun)
            except BrokenPipeError:
                pass  # it has given way to a later one
        assert supd.json("show", "web")["active_state"] == "active"
        supd.supctl("restart", "web")
        assert descriptors(supd) < before + IDLE
    finally:
        for end in idle:
            end.close()
    deadline = Deadline(20.0)
    while descriptors(supd) > before:
        assert deadline.remaining_s(), "connections that were closed are still held"


def test_those_that_send_a_byte_at_a_time_are_answered_like_the_others(supd: Supd) -> None:
    request = b"GET /v1/version HTTP/1.0\r\nX-Slow: yes\r\n\r\n"
    slow = [connect(supd) for _ in range(30)]
    for at in range(len(request)):
        for end in slow:
            end.sendall(request[at : at + 1])
        assert supd.request("GET", "/v1/version")[0] == 200
    for end in slow:
        assert end.recv(65536).startswith(b"HTTP/1.1 200 ")
        end.close()


def test_those_that_never_read_are_given_up_and_hold_nobody_up(supd: Supd) -> None:
    """They ask for the whole log again and again and let the answers lie."""
    deaf = [connect(supd) for _ in range(20)]
    asked = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 200
    for end in deaf:
        end.setblocking(False)
        while select.select([], [end], [], 0)[1]:
            try:
                end.send(asked)
            except BlockingIOError:
                break
    supd.supctl("restart", "web")
    assert supd.json("show", "web")["active_state"] == "active"
    for end in deaf:
        end.close()
