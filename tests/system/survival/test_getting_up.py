"""Killed while it gets up: a boot that is cut short is done by the next manager, and survivors are found by whoever lives to find them."""

import os
import signal

from tests.system.arrival import Deadline, ends_in_time
from tests.system.conftest import StartSupd
from tests.system.supd import Supd
from tests.system.survival import fleet
from tests.system.survival.books import Books
from tests.system.survival.judge import judge

NAMES = [f"plain-{number}" for number in range(12)]
KILLS = 4


def _project(make_supd: StartSupd) -> tuple[Supd, Books]:
    supd = make_supd({})
    books = Books(supd.path("books"))
    os.mkdir(books.directory)
    for name in NAMES:
        supd.write(f"units/{name}.toml", fleet.unit_text("plain", name, books.directory))
    return supd, books


def _kill_managers_as_they_come(supd: Supd) -> None:
    for _ in range(KILLS):
        deadline = Deadline(20)
        while (pid := supd.manager_pid()) is None:
            assert deadline.remaining_s(), "no manager came"
        os.kill(pid, signal.SIGKILL)
        assert ends_in_time(pid, 10)


def _kill_keeper(supd: Supd) -> None:
    manager = supd.get("/v1/version")["manager_pid"]
    os.kill(supd.keeper_pid, signal.SIGKILL)
    supd.wait_for_end()
    assert ends_in_time(manager, 10)


def _pids(books: Books) -> dict[str, int]:
    return {name: books.wait(name, "begun", lambda lives: lives and lives[0].pid, 60)[-1].pid for name in NAMES}


def test_a_boot_that_is_cut_short_again_and_again_is_done_once(make_supd: StartSupd) -> None:
    supd, books = _project(make_supd)
    supd.start()  # it accepts connections: the first manager is on its way through the boot
    _kill_managers_as_they_come(supd)
    _pids(books)
    for name in NAMES:
        supd.wait_until(name, "active")
    supd.stop()
    judge(books, supd.path(".supd"), dict.fromkeys(NAMES, 1))


def test_survivors_of_a_keeper_are_adopted_once_though_managers_die_while_they_adopt(make_supd: StartSupd) -> None:
    supd, books = _project(make_supd)
    supd.start()
    pids = _pids(books)
    for name in NAMES:
        supd.wait_until(name, "active")
    for _ in range(2):
        _kill_keeper(supd)
        supd.start()
        _kill_managers_as_they_come(supd)
    for name in NAMES:
        assert supd.wait_until(name, "active")["main_pid"] == pids[name]
    supd.stop()
    unseen = frozenset(books.lives(name)[-1].invocation_id for name in NAMES)
    judge(books, supd.path(".supd"), dict.fromkeys(NAMES, 1), unseen)


def test_a_unit_file_that_changed_while_there_was_no_supd_restarts_what_survived(make_supd: StartSupd) -> None:
    supd, books = _project(make_supd)
    supd.start()
    pids = _pids(books)
    for name in NAMES:
        supd.wait_until(name, "active")
    _kill_keeper(supd)
    supd.write(f"units/{NAMES[0]}.toml", fleet.unit_text("plain", NAMES[0], books.directory, generation=1))
    supd.start()
    lives = books.wait(NAMES[0], "been restarted", lambda lives: len(lives) == 2 and lives[1].pid, 30)
    assert lives[1].generation == 1
    for name in NAMES[1:]:
        assert supd.wait_until(name, "active")["main_pid"] == pids[name]
    supd.stop()


def test_what_was_down_stays_down_when_supd_alone_was_killed(make_supd: StartSupd) -> None:
    supd, books = _project(make_supd)
    supd.write("units/leaning.toml", f'[unit]\ndepends_on = ["{NAMES[0]}"]\n[service]\nexec_start = "sleep 1000"\n')
    supd.start()
    pids = _pids(books)
    supd.wait_until("leaning", "active")
    supd.supctl("stop", NAMES[0])  # and the unit that leans on it, which nobody has named
    _kill_keeper(supd)
    supd.start()
    for name in NAMES[1:]:
        assert supd.show(name)["main_pid"] == pids[name]
    assert supd.show("leaning")["active_state"] == "inactive"
    for name in NAMES[1:]:
        os.kill(pids[name], signal.SIGTERM)
    _kill_keeper(supd)
    for name in NAMES[1:]:
        assert ends_in_time(pids[name], 10)
    supd.start()  # nothing has survived: this is a boot like any other
    for name in NAMES[1:]:
        supd.wait_until(name, "active")
    supd.stop()


def test_definitions_that_are_in_force_and_not_on_disk_yet_are_not_taken_for_a_change(make_supd: StartSupd) -> None:
    supd, books = _project(make_supd)
    supd.start()
    _pids(books)
    for name in NAMES:
        supd.wait_until(name, "active")
    os.mkdir(supd.path(".supd", "specification.json.new"))  # the store cannot be written any more
    supd.write(f"units/{NAMES[0]}.toml", fleet.unit_text("plain", NAMES[0], books.directory, generation=1))
    books.wait(NAMES[0], "been restarted", lambda lives: len(lives) == 2 and lives[1].pid, 30)
    supd.wait_until(NAMES[0], "active")
    for _ in range(2):
        manager = supd.get("/v1/version")["manager_pid"]
        os.kill(manager, signal.SIGKILL)
        assert ends_in_time(manager, 10)
    supd.write(f"units/{NAMES[1]}.toml", fleet.unit_text("plain", NAMES[1], books.directory, generation=1))
    books.wait(
        NAMES[1], "been restarted", lambda lives: len(lives) == 2 and lives[1].pid, 30
    )  # the files were looked at: nothing else was new
    supd.stop()
    judge(books, supd.path(".supd"), {name: 2 if name in NAMES[:2] else 1 for name in NAMES})
