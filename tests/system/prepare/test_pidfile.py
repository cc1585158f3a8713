"""Which PID files are believed: the rules of systemd's service_load_pid_file()."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.daemon import pidfile
from tests.system.prepare.worlds import NOBODY, World

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="this test gives files to other users: run it as root")


@pytest.fixture
def sleeper() -> Iterator[int]:
    """A process that does nothing."""
    pid = os.fork()
    if pid == 0:
        signal.pause()
        os._exit(0)
    yield pid
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


@pytest.fixture
def corpse() -> Iterator[int]:
    """A zombie."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    yield pid
    os.waitpid(pid, 0)


@pytest.fixture
def file(world: World) -> Path:
    return world.directory / "web.pid"


def read(path: Path | str, is_member: bool = True, own_uid: int | None = None) -> int:
    return pidfile.read(str(path), lambda pid: is_member, {os.getpid()}, os.getuid() if own_uid is None else own_uid)


@pytest.mark.parametrize("form", ["{}", "{}\n", " {} \nrest", "{}\r\n"])
def test_the_first_line_is_the_pid(file: Path, sleeper: int, form: str) -> None:
    file.write_text(form.format(sleeper))
    assert read(file) == sleeper


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        ("", "nothing"),
        ("\n12", "nothing"),
        ("abc", "abc"),
        ("-5", "-5"),
        ("0", "0"),
        ("1", "1"),
        ("99999999999", "99999999999"),
        ("1 2", "1 2"),
    ],
)
def test_what_is_no_pid_is_not_believed(file: Path, content: str, shown: str) -> None:
    file.write_text(content)
    with pytest.raises(pidfile.PidFileError) as raised:
        read(file)
    assert str(raised.value) == f"cannot believe PID file {file}: expected a process number above 1, got {shown}."


def test_a_missing_file_is_said(file: Path) -> None:
    with pytest.raises(pidfile.PidFileError, match="no such file or directory"):
        read(file)


def test_supd_itself_is_nobodys_main_process(file: Path) -> None:
    file.write_text(str(os.getpid()))
    with pytest.raises(pidfile.PidFileError, match=f"process {os.getpid()} is supd itself"):
        read(file)


def test_a_zombie_is_no_main_process(file: Path, corpse: int) -> None:
    file.write_text(str(corpse))
    with pytest.raises(pidfile.PidFileError, match="does not exist or is a zombie"):
        read(file)


def test_a_process_that_is_gone_is_no_main_process(file: Path) -> None:
    file.write_text(str(pidfile.PID_MAX))
    with pytest.raises(pidfile.PidFileError, match="does not exist or is a zombie"):
        read(file)


@needs_root
@pytest.mark.parametrize(
    ("file_uid", "directory_uid", "own_uid", "is_member", "is_believed"),
    [
        (0, 0, 0, False, True),
        (0, 0, 0, True, True),
        (NOBODY, 0, 0, True, True),
        (NOBODY, 0, 0, False, False),
        (NOBODY, NOBODY, 0, True, True),
        (NOBODY, NOBODY, 0, False, False),
        (0, NOBODY, 0, False, False),
        (NOBODY, 0, NOBODY, False, True),
        (NOBODY, NOBODY, NOBODY, False, True),
        (1, 0, NOBODY, False, False),
    ],
)
def test_a_stranger_is_believed_only_from_root_or_supds_own_user(
    world: World, sleeper: int, file_uid: int, directory_uid: int, own_uid: int, is_member: bool, is_believed: bool
) -> None:
    directory = world.directory / "run"
    directory.mkdir()
    path = directory / "pid"
    path.write_text(str(sleeper))
    os.chown(path, file_uid, -1)
    os.chown(directory, directory_uid, -1)
    if is_believed:
        assert read(path, is_member, own_uid) == sleeper
    else:
        with pytest.raises(pidfile.PidFileError, match=f"process {sleeper} does not belong to the unit"):
            read(path, is_member, own_uid)


@needs_root
def test_a_link_made_by_another_user_leads_to_no_stranger(world: World, file: Path, sleeper: int) -> None:
    file.write_text(str(sleeper))
    link = world.directory / "link"
    link.symlink_to(file)
    assert read(link, is_member=False) == sleeper
    os.lchown(link, NOBODY, -1)
    assert read(link, is_member=True) == sleeper
    with pytest.raises(pidfile.PidFileError, match="a directory or link on the way to the file belongs to another user"):
        read(link, is_member=False)


def test_relative_links_and_dots_are_followed_as_the_kernel_does(world: World, file: Path, sleeper: int) -> None:
    file.write_text(str(sleeper))
    (world.directory / "a" / "b").mkdir(parents=True)
    (world.directory / "a" / "b" / "pid").symlink_to("../.././web.pid")
    assert read(f"{world.directory}/a/b/../b/./pid") == sleeper


def test_a_ring_of_links_ends(world: World) -> None:
    (world.directory / "a").symlink_to("b")
    (world.directory / "b").symlink_to("a")
    with pytest.raises(pidfile.PidFileError, match="too many levels of symbolic links"):
        read(world.directory / "a")


def test_a_pipe_does_not_hold_up_the_reader(file: Path) -> None:
    os.mkfifo(file)
    with pytest.raises(pidfile.PidFileError, match="got nothing"):
        read(file)
