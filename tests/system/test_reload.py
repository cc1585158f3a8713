"""Hot reload in a real supd: every way of saving, errors, the way back, files that vanish, and many of them (DESIGN, Hot reload)."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator

import pytest

from tests.system.arrival import Deadline, ends_in_time
from tests.system.supd import Supd

OLD = '[service]\nexec_start = "sleep 1000"\n'
NEW = '[service]\nexec_start = "sleep 2000"\n'
OTHER = '[service]\nexec_start = "sleep 3000"\n'
BROKEN = "[service]\nexec_start = \n"


@pytest.fixture
def world() -> Iterator[Supd]:
    supd = Supd({"web": OLD, "other": OTHER})
    supd.start()
    for unit in ("web", "other"):
        supd.wait_until(unit, "running")
    try:
        yield supd
        supd.stop()
    finally:
        supd.remove()


def _runs(supd: Supd, unit: str) -> str:
    """The command line of the unit's main process."""
    with open(f"/proc/{supd.show(unit)['main_pid']}/cmdline", encoding="utf-8") as file:
        return file.read().replace("\0", " ").strip()


def _wait_for_new_process(supd: Supd, unit: str, pid: int) -> None:
    supd.wait_for(unit, "restarted", lambda shown: shown["main_pid"] not in (0, pid) and shown["sub_state"] == "running")


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def _in_place(path: str, text: str) -> None:
    with open(path, "r+", encoding="utf-8") as file:
        file.truncate()
        file.write(text)


def _renamed_over(path: str, text: str) -> None:
    _write(path + ".tmp", text)
    os.rename(path + ".tmp", path)


def _vim(path: str, text: str) -> None:
    """A swap file, a backup by rename, a new file, no backup."""
    directory, name = os.path.split(path)
    swap = os.path.join(directory, f".{name}.swp")
    _write(swap, "b0VIM")
    _write(os.path.join(directory, "4913"), "")
    os.unlink(os.path.join(directory, "4913"))
    os.rename(path, path + "~")
    _write(path, text)
    os.unlink(path + "~")
    os.unlink(swap)


def _emacs(path: str, text: str) -> None:
    """A lock that is a dangling link, an autosave file, a backup by copy."""
    directory, name = os.path.split(path)
    os.symlink("user@host.1:1", os.path.join(directory, f".#{name}"))
    _write(os.path.join(directory, f"#{name}#"), text)
    shutil.copy(path, path + "~")
    _in_place(path, text)
    os.unlink(os.path.join(directory, f".#{name}"))
    os.unlink(os.path.join(directory, f"#{name}#"))


def _checkout(path: str, text: str) -> None:
    """git: the old file is unlinked and a new one made."""
    os.unlink(path)
    _write(path, text)


def _rsync(path: str, text: str) -> None:
    directory, name = os.path.split(path)
    hidden = os.path.join(directory, f".{name}.Xa41Zq")
    _write(hidden, text)
    os.rename(hidden, path)


def _link(path: str, text: str) -> None:
    """The file becomes a symbolic link to one elsewhere (stow, config maps)."""
    target = os.path.join(os.path.dirname(os.path.dirname(path)), "elsewhere.toml")
    _write(target, text)
    os.symlink(target, path + ".new")
    os.rename(path + ".new", path)


def _sed(path: str, _text: str) -> None:
    """A new file of a name of its own, renamed over."""
    subprocess.run(["sed", "-i", "s/sleep 1000/sleep 2000/", path], check=True)


def _cp(path: str, text: str) -> None:
    """Over the file, in place."""
    other = os.path.join(os.path.dirname(os.path.dirname(path)), "other.toml")
    _write(other, text)
    subprocess.run(["cp", other, path], check=True)


def _git(path: str, text: str) -> None:
    """What a checkout of another commit does to the files that differ, with its lock and its index beside them."""
    directory, name = os.path.split(path)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-C", directory]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "old"]):
        subprocess.run([*git, *arguments], check=True, env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "HOME": directory})
    made = subprocess.run([*git, "hash-object", "-w", "--stdin"], input=text, capture_output=True, text=True, check=True)
    subprocess.run([*git, "update-index", "--cacheinfo", f"100644,{made.stdout.strip()},{name}"], check=True)
    subprocess.run([*git, "checkout-index", "-q", "-f", "-a"], check=True)


def _code(path: str, text: str) -> None:
    """VS Code: the file is cut to nothing, and written a moment later."""
    with open(path, "w", encoding="utf-8") as file:
        file.truncate()
        file.flush()
        os.fsync(file.fileno())
        file.write(text)


def _made_again(path: str, text: str) -> None:
    """The whole directory is removed and made again, with everything in it."""
    directory = os.path.dirname(path)
    os.rename(directory, directory + ".old")
    os.mkdir(directory)
    for name in os.listdir(directory + ".old"):
        shutil.copy(os.path.join(directory + ".old", name), directory)
    _write(path, text)


SAVINGS: list[Callable[[str, str], None]] = [
    _write, _in_place, _renamed_over, _vim, _emacs, _checkout, _rsync, _link, _sed, _cp, _git, _code, _made_again
]  # fmt: skip


@pytest.mark.parametrize("save", SAVINGS, ids=lambda save: save.__name__.strip("_"))
def test_every_way_of_saving_restarts_the_unit_and_no_other(world: Supd, save: Callable[[str, str], None]) -> None:
    web, other = world.show("web")["main_pid"], world.show("other")["main_pid"]
    save(world.path("units", "web.toml"), NEW)
    _wait_for_new_process(world, "web", web)
    assert _runs(world, "web").endswith("sleep 2000")
    assert world.show("other")["main_pid"] == other


def test_it_goes_on_watching_after_each_of_them(world: Supd) -> None:
    for number, save in enumerate((_made_again, _link, _renamed_over, _write)):
        pid = world.show("web")["main_pid"]
        save(world.path("units", "web.toml"), NEW.replace("2000", str(2001 + number)))
        _wait_for_new_process(world, "web", pid)


def test_a_link_s_target_a_drop_in_and_an_include_are_watched_too(world: Supd) -> None:
    pid = world.show("web")["main_pid"]
    _link(world.path("units", "web.toml"), NEW)
    _wait_for_new_process(world, "web", pid)
    pid = world.show("web")["main_pid"]
    _write(world.path("elsewhere.toml"), 'include = ["../base.toml"]\n' + NEW)
    base = world.path("base.toml")  # it is missing: an error, mended as soon as it comes
    _write(base, '[service]\nenvironment = {A = "1"}\n')
    _wait_for_new_process(world, "web", pid)
    pid = world.show("web")["main_pid"]
    _write(base, '[service]\nenvironment = {A = "2"}\n')
    _wait_for_new_process(world, "web", pid)
    pid = world.show("web")["main_pid"]
    os.mkdir(world.path("units", "web.toml.d"))
    _write(world.path("units", "web.toml.d", "more.toml"), '[service]\nenvironment = {B = "1"}\n')
    _wait_for_new_process(world, "web", pid)


def test_a_directory_that_is_moved_away_and_back_restarts_nothing_and_is_watched_on(world: Supd) -> None:
    pids = [world.show(unit)["main_pid"] for unit in ("web", "other")]
    for _ in range(2):
        os.rename(world.path("units"), world.path("away"))
        os.rename(world.path("away"), world.path("units"))
    world.write("units/third.toml", NEW)
    world.wait_until("third", "running")
    assert [world.show(unit)["main_pid"] for unit in ("web", "other")] == pids
    world.write("units/web.toml", NEW)
    _wait_for_new_process(world, "web", pids[0])


def test_unit_directories_may_be_links_that_are_turned_elsewhere() -> None:
    """As deployments do it: `current` leads to a release, and is renamed over by a link to the next one."""
    supd = Supd({}, {"one/web.toml": OLD, "one/other.toml": OTHER, "two/web.toml": NEW, "two/other.toml": OTHER})
    try:
        os.symlink("one", supd.path("current"))
        supd.start("--units", "current")
        pids = {unit: supd.wait_until(unit, "running")["main_pid"] for unit in ("web", "other")}
        os.symlink("two", supd.path("next"))
        os.rename(supd.path("next"), supd.path("current"))
        _wait_for_new_process(supd, "web", pids["web"])
        assert _runs(supd, "web") == "sleep 2000"
        assert supd.show("other")["main_pid"] == pids["other"]
        _write(supd.path("two", "other.toml"), NEW)
        _wait_for_new_process(supd, "other", pids["other"])
        supd.stop()
    finally:
        supd.remove()


def test_a_link_anywhere_on_the_way_may_be_turned_elsewhere() -> None:
    """As deployments and mounted ConfigMaps do it: the link that is turned is a directory's, above the units or between link and file."""
    files = {"one/units/web.toml": OLD, "two/units/web.toml": NEW, "map/v1/other.toml": OTHER, "map/v2/other.toml": OLD}
    supd = Supd({}, files)

    def turn(link: str, target: str) -> None:
        os.symlink(target, supd.path("next"))
        os.rename(supd.path("next"), supd.path(link))

    try:
        turn("current", "one")
        turn("map/data", "v1")
        for release in ("one", "two"):
            os.symlink("../../map/data/other.toml", supd.path(release, "units", "other.toml"))
        supd.start("--units", "current/units", "--state", ".supd")
        pids = {unit: supd.wait_until(unit, "running")["main_pid"] for unit in ("web", "other")}
        turn("current", "two")
        _wait_for_new_process(supd, "web", pids["web"])
        assert supd.show("other")["main_pid"] == pids["other"]
        turn("map/data", "v2")
        _wait_for_new_process(supd, "other", pids["other"])
        supd.stop()
    finally:
        supd.remove()


def test_a_unit_directory_that_comes_later_is_found(as_root: None) -> None:
    """A user's own: it need not be there when his supd is started."""
    supd = Supd({}, uid=1234)
    try:
        os.rmdir(supd.path("units"))
        os.makedirs(supd.path("run"), 0o700)
        os.chown(supd.path("run"), 1234, 1234)
        supd.socket_path = supd.path("run", "supd.sock")
        supd.start("--runtime", supd.path("run"))
        (directory,) = [path for path in supd.get("/v1/status")["units_directories"] if path.startswith(supd.path(".config"))]
        for path in (os.path.dirname(os.path.dirname(directory)), os.path.dirname(directory), directory):
            os.makedirs(path, exist_ok=True)
            os.chown(path, 1234, 1234)
        supd.write(os.path.relpath(os.path.join(directory, "late.toml"), supd.directory), OLD)
        supd.wait_until("late", "running")
        supd.stop()
    finally:
        supd.remove()


def test_a_comment_another_order_and_a_policy_restart_nothing(world: Supd) -> None:
    pid = world.show("web")["main_pid"]
    world.write("units/web.toml", "# a comment\n" + OLD)
    world.write("units/web.toml", OLD + 'restart = "always"\n')
    world.wait_for("web", "known by its new policy", lambda shown: shown["restart"] == "always")
    assert world.show("web")["main_pid"] == pid
    assert world.show("web")["needs_restart"] is False


def test_a_new_unit_starts_and_one_that_is_gone_stops_after_a_while(world: Supd) -> None:
    world.write("units/new.toml", NEW)
    world.wait_until("new", "running")
    pid = world.show("new")["main_pid"]
    os.unlink(world.path("units", "new.toml"))
    world.watch("logs", "supd", "-f", "-o", "cat", until="info: new: its unit file is gone; in 5 s that is believed")
    with world.events(Deadline(20)) as events:
        assert any(event["unit"] == "new" and event.get("sub_state") == "dead" for event in events)
    assert not os.path.exists(f"/proc/{pid}")


def test_a_unit_file_that_is_renamed_is_one_unit_at_any_time(world: Supd) -> None:
    pid = world.show("web")["main_pid"]
    os.rename(world.path("units", "web.toml"), world.path("units", "shop.toml"))
    world.wait_until("shop", "running")
    assert f"{world.path('units', 'web.toml')} is {world.path('units', 'shop.toml')} now" in world.said()
    assert ends_in_time(pid, 20)
    assert "its unit file is gone; in 5 s that is believed" not in world.said()


def test_many_that_vanish_at_once_stop_nothing_until_apply(world: Supd) -> None:
    pids = [world.show(unit)["main_pid"] for unit in ("web", "other")]
    os.rename(world.path("units"), world.path("away"))
    os.mkdir(world.path("units"))
    world.write("units/third.toml", NEW)
    world.wait_until("third", "running")
    assert [world.show(unit)["main_pid"] for unit in ("web", "other")] == pids
    assert any("`supctl apply` if it is meant so" in note for note in world.get("/v1/status")["notes"])
    done = world.json("apply")
    assert {unit: done["units"][unit]["action"] for unit in ("web", "other")} == {"web": "stop", "other": "stop"}
    assert [os.path.exists(f"/proc/{pid}") for pid in pids] == [False, False]


def test_errors_change_nothing_and_are_shown_until_they_are_mended(world: Supd) -> None:
    pid = world.show("web")["main_pid"]
    world.write("units/web.toml", BROKEN)
    world.write("units/other.toml", NEW)
    deadline = Deadline(20)
    while not world.get("/v1/status")["load_errors"]:
        assert deadline.remaining_s()
    assert "web.toml:2" in world.supctl("status").stdout
    assert (world.show("web")["main_pid"], _runs(world, "other")) == (pid, "sleep 3000")
    plan = world.supctl("apply", "--plan", "--json", expect=1).stdout
    assert "web.toml" in plan
    other = world.show("other")["main_pid"]
    world.write("units/web.toml", OLD)
    _wait_for_new_process(world, "other", other)
    assert world.get("/v1/status")["load_errors"] == []
    assert world.show("web")["main_pid"] == pid


def test_what_does_not_come_up_goes_back_and_is_not_tried_again_until_its_file_changes(world: Supd) -> None:
    pid = world.show("web")["main_pid"]
    world.write("units/web.toml", '[service]\nexec_start = "/nonexistent"\n')
    world.wait_for("web", "rolled back", lambda shown: shown["rolled_back"] and shown["sub_state"] == "running")
    assert _runs(world, "web") == "sleep 1000"
    again = world.show("web")["main_pid"]
    assert again != pid
    assert "definition of before" in world.supctl("why", "web").stdout
    assert "definition of before" in world.supctl("status").stdout
    assert "definition of before" in world.said()
    world.write("units/new.toml", NEW)
    world.wait_until("new", "running")
    assert world.show("web")["main_pid"] == again
    os.utime(world.path("units", "web.toml"))
    world.write("units/web.toml", '# nothing else is said\n[service]\nexec_start = "/nonexistent"\n')
    world.write("units/newer.toml", NEW)
    world.wait_until("newer", "running")
    assert world.show("web")["main_pid"] == again
    world.write("units/web.toml", NEW)
    _wait_for_new_process(world, "web", again)
    assert world.show("web")["rolled_back"] == ""


def test_wishes_for_a_unit_that_was_rolled_back_try_its_failed_definition_no_more(world: Supd) -> None:
    world.write("units/web.toml", '[service]\nexec_start = "/nonexistent"\n')
    pid = world.wait_for("web", "rolled back", lambda shown: shown["rolled_back"] and shown["sub_state"] == "running")["main_pid"]
    for verb, enabled in (("disable", "disabled"), ("enable", "enabled"), ("mask", "masked"), ("unmask", "enabled")):
        world.supctl(verb, "web")
        shown = world.show("web")
        assert (shown["enabled"], shown["main_pid"], shown["sub_state"]) == (enabled, pid, "running")
        assert shown["rolled_back"]
    world.supctl("restart", "web")
    assert _runs(world, "web") == "sleep 1000"


def test_the_plan_for_what_was_rolled_back_is_what_apply_does(world: Supd) -> None:
    world.write("units/web.toml", '[unit]\nstart_limit_burst = 9\n[service]\nexec_start = "/nonexistent"\n')
    world.wait_for("web", "rolled back", lambda shown: shown["rolled_back"] and shown["sub_state"] == "running")
    told = world.supctl("apply", "--plan").stdout
    assert "web stays by its definition of before" in told and "what runs is what the unit files say" not in told
    assert world.json("apply", "--plan") == {"units": {}, "errors": [], "rolled_back": ["web"]}
    plan = world.json("apply", "--plan", "web")
    assert plan["units"]["web"]["action"] == "restart" and "service.exec_start" in plan["units"]["web"]["changed"]
    assert "rolled_back" not in plan
    done = json.loads(world.supctl("apply", "web", "--json", expect=1).stdout)
    assert done["units"] == plan["units"]


def test_where_the_set_would_not_be_valid_the_whole_set_goes_back() -> None:
    supd = Supd({"web": '[unit]\nconflicts = ["second"]\n' + OLD, "second": "[unit]\nenabled = false\n" + NEW})
    try:
        supd.start()
        supd.wait_until("web", "running")
        # In one burst: web gives way to the second, but by a definition that cannot run.
        supd.write("units/second.toml", NEW)
        supd.write("units/web.toml", '[service]\nexec_start = "/nonexistent"\n')
        shown = supd.wait_for("web", "rolled back", lambda shown: shown["rolled_back"] and shown["sub_state"] == "running")
        assert "1 more went back with it" in shown["rolled_back"]
        assert supd.wait_until("second", "inactive")["enabled"] == "disabled"
        supd.stop()
    finally:
        supd.remove()


def test_a_rolled_back_definition_is_not_tried_by_the_next_supd_either(world: Supd) -> None:
    world.write("units/web.toml", '[service]\nexec_start = "/nonexistent"\n')
    world.wait_for("web", "rolled back", lambda shown: shown["rolled_back"] and shown["sub_state"] == "running")
    world.stop()
    world.start()
    world.wait_until("web", "running")
    assert _runs(world, "web") == "sleep 1000"


def test_the_plan_says_what_apply_then_does() -> None:
    supd = Supd({"db": OLD, "web": '[unit]\ndepends_on = ["db"]\n' + OTHER})
    try:
        supd.start("--units", "units", "--on-change", "load")
        supd.wait_until("web", "running")
        pids = {unit: supd.show(unit)["main_pid"] for unit in ("db", "web")}
        supd.write("units/db.toml", NEW)
        supd.wait_for("db", "known to differ", lambda shown: shown["needs_restart"])
        plan = supd.json("apply", "--plan")
        expected = {"db": {"action": "restart", "changed": ["service.exec_start"]}, "web": {"action": "restart", "changed": []}}
        assert plan == {"units": expected, "errors": []}
        assert {unit: supd.show(unit)["main_pid"] for unit in pids} == pids
        assert supd.json("apply")["units"] == expected
        assert all(supd.show(unit)["main_pid"] not in (0, pid) for unit, pid in pids.items())
        assert supd.json("apply", "--plan") == {"units": {}, "errors": []}
        supd.stop()
    finally:
        supd.remove()


def test_the_number_of_instances_is_a_definition_like_any_other(world: Supd) -> None:
    world.write("units/worker@.toml", "[unit]\ninstances = 3\n" + NEW)
    world.wait_until("worker@3", "running")
    first = world.show("worker@1")["main_pid"]
    world.write("units/worker@.toml", "[unit]\ninstances = 1\n" + NEW)
    with world.events(Deadline(20)) as events:
        assert any(event["unit"] in ("worker@2", "worker@3") and event.get("sub_state") == "dead" for event in events)
    assert world.show("worker@1")["main_pid"] == first


def test_a_change_while_the_manager_is_away_is_found_by_the_next_one(world: Supd) -> None:
    pid = world.show("web")["main_pid"]
    os.kill(world.get("/v1/version")["manager_pid"], 9)
    world.write("units/web.toml", NEW)
    _wait_for_new_process(world, "web", pid)


def test_one_of_a_thousand_files_is_live_at_once() -> None:
    units = {f"u{number}": f'[unit]\nenabled = false\ndescription = "{number}"\n{OLD}' for number in range(1000)}
    supd = Supd({**units, "web": OLD})
    try:
        supd.start()
        pid = supd.wait_until("web", "running")["main_pid"]
        supd.write("units/web.toml", NEW)
        _wait_for_new_process(supd, "web", pid)
        supd.stop()
    finally:
        supd.remove()
