"""A manager that cannot take over does what it can, says why to whoever asks, and is tried again until it can."""

import os
import signal
from collections.abc import Iterator

import pytest

from tests.system.arrival import Deadline, ends_in_time
from tests.system.supd import Supd
from tests.system.survival.books import Books
from tests.system.survival.fleet import unit_text
from tests.system.survival.judge import judge
from tests.system.survival.test_upgrade import Installed

NAMES = ("plain-0", "plain-1")


@pytest.fixture
def crippled() -> Iterator[tuple[Supd, Books, dict[str, int]]]:
    """A supd whose manager was killed and whose successors cannot use its state directory."""
    supd = Supd({})
    books = Books(supd.path("books"))
    try:
        os.mkdir(books.directory)
        for name in NAMES:
            supd.write(f"units/{name}.toml", unit_text("plain", name, books.directory))
        supd.start()
        pids = {name: supd.wait_until(name, "active")["main_pid"] for name in NAMES}
        for name in NAMES:
            books.wait(name, "begun", lambda lives: lives and lives[0].pid, 30)
        os.chmod(supd.path(".supd"), 0o777)
        _kill_manager(supd)
        yield supd, books, pids
    finally:
        supd.remove()


def _kill_manager(supd: Supd) -> None:
    manager = supd.get("/v1/version")["manager_pid"]
    os.kill(manager, signal.SIGKILL)
    assert ends_in_time(manager, 10)


def _is_whole_again(supd: Supd) -> None:
    deadline = Deadline(60)
    while supd.get("/v1/status")["mode"] == "reduced":
        assert deadline.remaining_s(), "no manager has come back"
        ends_in_time(supd.get("/v1/version")["manager_pid"], deadline.remaining_s())


def test_it_says_why_moves_the_logs_and_comes_back_when_the_cause_is_mended(crippled: tuple[Supd, Books, dict[str, int]]) -> None:
    supd, books, pids = crippled
    told = supd.supctl("status").stdout
    assert "degraded" in told and "others can write it" in told and "services run on, and it is tried again every 5 s" in told
    refused = supd.supctl("stop", NAMES[0], expect=1).stderr
    assert "the manager cannot work" in refused and "mend the cause" in refused
    os.kill(pids[NAMES[0]], signal.SIGUSR1)  # it ends meanwhile, with its last words and status 3
    lines = books.wait(NAMES[0], "ended", lambda lives: lives[0].end_status == 3, 30)[0].lines
    log = supd.path(".supd", "logs", NAMES[0], "current")
    deadline = Deadline(4)  # while no manager works
    while os.path.getsize(log) < 100 * lines:
        assert deadline.remaining_s(), "its last words are not moved to the log"
    os.chmod(supd.path(".supd"), 0o755)
    _is_whole_again(supd)
    books.wait(NAMES[0], "been restarted", lambda lives: len(lives) == 2 and lives[1].pid, 30)
    assert supd.wait_until(NAMES[1], "active")["main_pid"] == pids[NAMES[1]]
    supd.stop()
    judge(books, supd.path(".supd"), {NAMES[0]: 2, NAMES[1]: 1})


def test_asked_to_stop_it_ends_everything(crippled: tuple[Supd, Books, dict[str, int]]) -> None:
    supd, books, _ = crippled
    assert supd.get("/v1/status")["mode"] == "reduced"
    os.kill(supd.keeper_pid, signal.SIGTERM)
    assert supd.wait_for_end() == 1
    assert [books.lives(name)[0].end_status for name in NAMES] == [0, 0]


def test_a_record_that_no_manager_can_read_is_told_and_harms_no_service() -> None:
    installed = Installed({"web": '[service]\nexec_start = "sleep 1000"\n'})
    supd = installed.supd
    try:
        installed.start()
        pids = installed.pids()
        good = (installed.code / "engine/record.py").read_text()
        installed.edit("engine/record.py", "    state = UnitState(name)\n", '    raise ValueError("no such state")\n')
        _kill_manager(supd)
        assert "ValueError: no such state" in supd.get("/v1/status")["notes"][0]
        (installed.code / "engine/record.py").write_text(good)
        _is_whole_again(supd)
        assert installed.pids() == pids
        supd.stop()
    finally:
        supd.remove()
