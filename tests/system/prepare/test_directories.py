"""The unit's directories: modes, owners, hostile trees, and what is left when the unit is down."""

import os
import queue
import stat
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from supervisor.daemon import trees
from supervisor.daemon.prepare import Preparer
from supervisor.daemon.prepare_error import PrepareError
from supervisor.model.effects import Prepare
from supervisor.model.specification import Directory
from supervisor.model.states import Phase
from tests.spec.smalldisk import mounted
from tests.system.prepare.worlds import DEADLINE_S, PORTRAIT, World, own, service_of, unit

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="this test gives files to other users: run it as root")

STATUS_OF_BASE = {"runtime": 233, "state": 238, "cache": 239, "logs": 240, "configuration": 241}


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("base", STATUS_OF_BASE)
def test_a_directory_of_each_base_is_made_below_its_root_and_named_in_its_variable(world: World, base: str) -> None:
    found = world.variables(unit(directories=(Directory(base, "web"), Directory(base, "web/sub", 0o700))))
    assert found[f"{base.upper()}_DIRECTORY"] == f"{world.directory}/{base}/web:{world.directory}/{base}/web/sub"
    assert mode_of(world.directory / base / "web") == 0o755
    assert mode_of(world.directory / base / "web" / "sub") == 0o700


@pytest.mark.parametrize("mode", [0o700, 0o1777, 0o2770, 0o500])
def test_the_mode_is_exact_whatever_the_umask_and_restored_at_the_next_start(world: World, mode: int) -> None:
    said = unit(directories=(Directory("state", "a/b", mode),))
    path = world.directory / "state" / "a" / "b"
    before = os.umask(0o077)
    try:
        world.prepare(said)
    finally:
        os.umask(before)
    assert mode_of(path) == mode
    assert mode_of(path.parent) == 0o755
    path.chmod(0o711)
    world.prepare(said)
    assert mode_of(path) == mode


def test_an_existing_configuration_directory_is_left_as_the_administrator_made_it(world: World) -> None:
    path = world.directory / "configuration" / "web"
    path.mkdir(parents=True, mode=0o750)
    world.prepare(unit(directories=(Directory("configuration", "web", 0o700),)))
    assert mode_of(path) == 0o750


@needs_root
def test_the_innermost_directory_is_the_users_and_its_parents_are_not(world: World) -> None:
    bases = tuple(STATUS_OF_BASE)
    world.prepare(unit(user="daemon", group="adm", directories=tuple(Directory(base, "a/b") for base in bases)))
    for base in bases:
        inner = (world.directory / base / "a" / "b").stat()
        outer = (world.directory / base / "a").stat()
        assert (inner.st_uid, inner.st_gid) == (1, 4)
        assert (outer.st_uid, outer.st_gid) == (0, 0)


@needs_root
def test_a_change_of_user_hands_the_whole_tree_over_but_follows_no_link(world: World) -> None:
    said: dict[str, Any] = {"directories": (Directory("state", "web"),)}
    world.prepare(unit(user="daemon", **said))
    path = world.directory / "state" / "web"
    (path / "deep" / "er").mkdir(parents=True)
    (path / "deep" / "file").write_text("x")
    outside = world.directory / "outside"
    outside.write_text("root's")
    (path / "deep" / "link").symlink_to(outside)
    world.prepare(unit(user="nobody", **said))
    for one in (path, path / "deep", path / "deep" / "er", path / "deep" / "file"):
        assert one.stat().st_uid == 65534, one
    assert (path / "deep" / "link").lstat().st_uid == 65534
    assert outside.stat().st_uid == 0


@needs_root
def test_the_process_can_write_where_it_is_told_to(world: World) -> None:
    portrait = world.launch(
        unit(
            main=PORTRAIT,
            user="nobody",
            directories=(Directory("cache", "web/x", 0o700),),
            working_directory=f"{world.directory}/cache/web/x",
        )
    )
    assert portrait["cwd"] == portrait["environment"]["CACHE_DIRECTORY"]


@pytest.mark.parametrize("base", STATUS_OF_BASE)
@pytest.mark.parametrize("linked", ["web", "web/sub"])
def test_a_symbolic_link_on_the_way_or_at_the_end_is_refused(world: World, base: str, linked: str) -> None:
    elsewhere = world.directory / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    link = world.directory / base / linked
    link.parent.mkdir(parents=True)
    link.symlink_to(elsewhere)
    with pytest.raises(PrepareError) as raised:
        world.prepare(unit(directories=(Directory(base, "web/sub", 0o700),)))
    assert (raised.value.step, raised.value.exit_status) == (f"{base.upper()}_DIRECTORY", STATUS_OF_BASE[base])
    assert raised.value.text == (
        f"cannot make the {base} directory {world.directory}/{base}/web/sub of web: a part of the path is a symbolic link or no directory; "
        "supd follows no links here. Replace it by a directory."
    )
    assert mode_of(elsewhere) == 0o755
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("path", ["../out", "a/../../out", "/etc", "", "."])
def test_a_path_that_leaves_its_root_is_refused(world: World, path: str) -> None:
    with pytest.raises(PrepareError, match="the path must stay below its root"):
        world.prepare(unit(directories=(Directory("state", path),)))


def test_a_file_in_the_way_is_said(world: World) -> None:
    (world.directory / "state").mkdir()
    (world.directory / "state" / "web").write_text("")
    with pytest.raises(PrepareError, match="symbolic link or no directory"):
        world.prepare(unit(directories=(Directory("state", "web"),)))


# ---- release


@pytest.mark.parametrize(
    ("preserve", "will_restart", "is_kept"),
    [
        ("no", False, False),
        ("no", True, False),
        ("restart", False, False),
        ("restart", True, True),
        ("yes", False, True),
        ("yes", True, True),
    ],
)
def test_runtime_directories_go_unless_preserved(world: World, preserve: str, will_restart: bool, is_kept: bool) -> None:
    said = unit(directories=(Directory("runtime", "a/b"), Directory("state", "s")), runtime_directory_preserve=preserve)
    world.prepare(said)
    (world.directory / "runtime" / "a" / "b" / "file").write_text("x")
    assert Preparer(world.context()).release(said, will_restart) == []
    assert (world.directory / "runtime" / "a" / "b").exists() == is_kept
    assert (world.directory / "runtime" / "a").exists()
    assert (world.directory / "state" / "s").exists()


def test_release_twice_and_without_a_start_is_harmless(world: World) -> None:
    said = unit(directories=(Directory("runtime", "a/b"),))
    preparer = Preparer(world.context())
    assert preparer.has_leftovers(said)
    assert preparer.release(said, False) == preparer.release(said, False) == []
    assert not preparer.has_leftovers(unit(directories=(Directory("state", "s"),)))


def test_removal_does_not_leave_the_tree_by_links(world: World) -> None:
    said = unit(directories=(Directory("runtime", "a"),))
    world.prepare(said)
    precious = world.directory / "precious"
    precious.mkdir()
    (precious / "file").write_text("x")
    (world.directory / "runtime" / "a" / "link").symlink_to(precious)
    assert Preparer(world.context()).release(said, False) == []
    assert (precious / "file").exists()
    (world.directory / "runtime" / "a").symlink_to(precious)
    assert Preparer(world.context()).release(said, False) == []
    assert (precious / "file").exists()
    assert not (world.directory / "runtime" / "a").is_symlink()


def test_a_file_system_mounted_in_a_tree_is_neither_emptied_nor_given_away(tmp_path: Path) -> None:
    mount_point = tmp_path / "tree" / "mounted"
    mount_point.mkdir(parents=True)
    (tmp_path / "tree" / "own").write_text("x")
    with mounted(mount_point):
        (mount_point / "precious").write_text("x")
        top = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
        trees.give(top, "tree", 12345, 12345)
        assert [os.stat(path).st_uid for path in (tmp_path / "tree" / "own", mount_point, mount_point / "precious")] == [12345, 0, 0]
        with pytest.raises(OSError, match="not empty"):
            trees.remove(top, "tree")
        os.close(top)
        assert (os.listdir(tmp_path / "tree"), (mount_point / "precious").read_text()) == (["mounted"], "x")


def test_a_tree_deeper_than_any_path_or_stack_is_removed() -> None:
    depth = 3000  # times 11 characters: longer than PATH_MAX; deeper than Python's recursion limit
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as directory:  # disks are slow at this
        top = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        current = os.dup(top)
        for _ in range(depth):
            os.mkdir("d" * 10, dir_fd=current)
            below = os.open("d" * 10, os.O_RDONLY | os.O_DIRECTORY, dir_fd=current)
            os.close(current)
            current = below
        os.close(current)
        trees.remove(top, "d" * 10)
        os.close(top)
        assert os.listdir(directory) == []


def test_what_cannot_be_removed_is_said(world: World) -> None:
    said = unit(directories=(Directory("runtime", "a/b"),))
    world.prepare(said)
    runtime = world.directory / "runtime"
    (runtime / "a").rename(runtime / "moved")
    (runtime / "a").symlink_to(runtime / "moved")
    assert Preparer(world.context(own=own())).release(said, False) == [
        f"cannot remove the runtime directory {runtime}/a/b of web: a part of the path is a symbolic link or no directory; "
        "supd follows no links here. Replace it by a directory."
    ]
    assert (runtime / "moved" / "b").exists()


def test_a_start_waits_for_the_release_that_was_begun_before_it(world: World) -> None:
    said = unit(directories=(Directory("runtime", "a"),))
    preparer = Preparer(world.context())
    effect = Prepare("web", 1, Phase.START, service_of(said).exec_start[0], "0" * 32)
    preparer.prepare(effect, said)
    first, second = preparer.begin_release(said, False), preparer.begin_release(said, False)
    ended = queue.SimpleQueue[str]()

    def run(name: str, work: Callable[[], object]) -> threading.Thread:
        def body() -> None:
            work()
            ended.put(name)

        thread = threading.Thread(target=body)
        thread.start()
        return thread

    threads = [run("start", lambda: preparer.prepare(effect, said)), run("second", second), run("first", first)]
    assert [ended.get(timeout=DEADLINE_S) for _ in threads][-1] == "start"
    for thread in threads:
        thread.join()
    assert (world.directory / "runtime" / "a").exists()
    assert preparer.prepare(effect, said)
