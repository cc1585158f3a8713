"""redis-server: says READY=1 itself, as another user than supd's; it has no reload."""

import pytest

from tests.system.conftest import StartSupd
from tests.system.daemons import ask
from tests.system.daemons.life import Daemon, is_started_again_after_kill, stops_without_a_trace

pytestmark = pytest.mark.usefixtures("as_root")


@pytest.fixture
def redis(make_supd: StartSupd) -> Daemon:
    return Daemon(make_supd, "redis", "redis.conf", user="redis")


def test_redis_notifies_with_its_status_and_answers(redis: Daemon) -> None:
    shown = redis.start()
    assert shown["status_text"] == "Ready to accept connections"
    assert ask.line(redis.port, b"PING\r\n") == b"+PONG"


def test_redis_killed_comes_back_with_its_data(redis: Daemon) -> None:
    before = redis.start()
    assert ask.line(redis.port, b"SET greeting hello\r\n") == b"+OK"
    is_started_again_after_kill(redis, before)
    assert ask.line(redis.port, b"STRLEN greeting\r\n") == b":5"


def test_redis_cannot_reload_and_supctl_says_so(redis: Daemon) -> None:
    before = redis.start()
    said = redis.supd.supctl("reload", "redis", expect=3)  # systemctl's status for a job that does not apply
    assert "redis" in said.stderr
    assert "reload" in said.stderr
    assert redis.supd.show("redis")["main_pid"] == before["main_pid"]


def test_redis_stopped_leaves_no_process(redis: Daemon) -> None:
    redis.start()
    stops_without_a_trace(redis)
