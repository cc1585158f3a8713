"""memcached: neither notifies nor reloads; a TCP probe says when it is there."""

import pytest

from tests.system.conftest import StartSupd
from tests.system.daemons import ask
from tests.system.daemons.life import Daemon, is_started_again_after_kill, stops_without_a_trace

pytestmark = pytest.mark.usefixtures("as_root")


@pytest.fixture
def memcached(make_supd: StartSupd) -> Daemon:
    return Daemon(make_supd, "memcached")


def test_memcached_answers_as_soon_as_it_is_active(memcached: Daemon) -> None:
    memcached.start()
    assert ask.line(memcached.port, b"set greeting 0 0 5\r\nhello\r\n") == b"STORED"
    assert ask.line(memcached.port, b"get greeting\r\n") == b"VALUE greeting 0 5"


def test_memcached_killed_comes_back_empty(memcached: Daemon) -> None:
    before = memcached.start()
    assert ask.line(memcached.port, b"set greeting 0 0 5\r\nhello\r\n") == b"STORED"
    is_started_again_after_kill(memcached, before)
    assert ask.line(memcached.port, b"get greeting\r\n") == b"END"


def test_memcached_stopped_leaves_no_process(memcached: Daemon) -> None:
    memcached.start()
    stops_without_a_trace(memcached)
