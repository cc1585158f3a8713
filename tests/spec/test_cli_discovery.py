"""Which socket supctl talks to, and which it does not believe."""

import os
import shutil
import socket
import tempfile
from pathlib import Path

import pytest

from supervisor.client import discovery
from supervisor.client.connection import Exchange
from supervisor.client.discovery import Place
from supervisor.client.errors import NoDaemon

ANN = 12345


def project(path: Path) -> Path:
    (path / ".supd").mkdir(parents=True)
    (path / ".supd" / "supd.sock").touch()
    return path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory tree that the caller owns, with trust judged as for the caller; what lies above it belongs to pytest."""
    monkeypatch.setattr(discovery, "SYSTEM_SOCKET", str(tmp_path / "system.sock"))
    return tmp_path


def found(explicit: str | None, environ: dict[str, str], uid: int, directory: Path) -> str:
    place = discovery.find(explicit, environ, uid, str(directory)).place
    return "" if place is None else place.path


def test_an_explicit_socket_is_the_only_candidate(home: Path) -> None:
    assert found("/x", {"SUPD_SOCKET": "/y"}, ANN, project(home)) == "/x"


def test_the_environment_comes_next(home: Path) -> None:
    assert found(None, {"SUPD_SOCKET": "/y"}, ANN, project(home)) == "/y"


def test_then_the_nearest_project_upwards(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "why_not_trusted", lambda path, uid: "")
    outer = project(home)
    inner = project(home / "a" / "inner")
    (inner / "src").mkdir()
    assert found(None, {}, ANN, inner / "src") == str(inner / ".supd" / "supd.sock")
    assert found(None, {}, ANN, outer / "a") == str(outer / ".supd" / "supd.sock")


def test_never_a_project_as_root(home: Path) -> None:
    (home / "system.sock").touch()
    assert found(None, {}, 0, project(home)) == str(home / "system.sock")
    search = discovery.find(None, {}, 0, str(home))
    socket_path = home / ".supd" / "supd.sock"
    assert search.passed_over == [f"{socket_path} (the project): never taken by root unless it is named: --socket {socket_path}"]


def test_then_the_users_instance_and_then_the_systems(home: Path) -> None:
    (home / "run" / "supd").mkdir(parents=True)
    environ = {"XDG_RUNTIME_DIR": str(home / "run")}
    (home / "system.sock").touch()
    assert found(None, environ, ANN, home) == str(home / "system.sock")
    (home / "run" / "supd" / "supd.sock").touch()
    assert found(None, environ, ANN, home) == str(home / "run" / "supd" / "supd.sock")


def test_what_was_passed_over_is_told(home: Path) -> None:
    search = discovery.find(None, {"XDG_RUNTIME_DIR": str(home)}, ANN, str(home))
    assert search.place is None
    assert [line.split("): ")[-1] for line in search.passed_over[-2:]] == ["there is no socket", "there is no socket"]
    assert len(search.passed_over) == 3


def tree(base: Path) -> Path:
    """base/project/.supd/supd.sock, all of it the caller's own and closed to others."""
    os.chmod(base, 0o755)
    path = project(base / "project") / ".supd" / "supd.sock"
    for each in (path.parent.parent, path.parent):
        os.chmod(each, 0o755)
    os.chmod(path, 0o600)
    return path


@pytest.fixture
def socket_path(tmp_path: Path) -> Path:
    return tree(tmp_path)


def reason(path: Path, uid: int | None = None) -> str:
    return discovery.why_not_trusted(str(path), os.getuid() if uid is None else uid)


def test_what_only_the_caller_and_root_can_write_is_trusted(socket_path: Path) -> None:
    assert reason(socket_path) == ""


@pytest.mark.parametrize("which", [".supd", "the project", "a parent"])
@pytest.mark.parametrize("mode", [0o777, 0o757])
def test_a_directory_open_to_others_is_not(socket_path: Path, tmp_path: Path, which: str, mode: int) -> None:
    opened = {".supd": socket_path.parent, "the project": socket_path.parent.parent, "a parent": tmp_path}[which]
    os.chmod(opened, mode)
    assert reason(socket_path) == f"{opened} is writable by others"


def test_a_directory_open_to_a_shared_group_is_not(socket_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can give a file to another group")
    os.chmod(socket_path.parent, 0o775)
    assert reason(socket_path) == ""
    os.chown(socket_path.parent, 0, 4321)
    assert reason(socket_path) == f"{socket_path.parent} is writable by others"


def test_a_sticky_directory_is_trusted_for_the_callers_own_entries_only(socket_path: Path, tmp_path: Path) -> None:
    os.chmod(tmp_path, 0o1777)
    assert reason(socket_path) == ""
    if os.getuid() == 0:
        os.chown(tmp_path, 0, 0)
        entry = socket_path.parent.parent
        for each in (socket_path, socket_path.parent):
            os.chown(each, ANN, ANN)
        assert reason(socket_path, ANN).startswith(f"{entry} lies in {tmp_path}")
        os.chown(entry, ANN, ANN)
        assert not reason(socket_path, ANN).startswith(f"{entry} lies in")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("which", ["the socket", ".supd", "the project"])
def test_what_belongs_to_somebody_else_is_not(socket_path: Path, which: str) -> None:
    given = {"the socket": socket_path, ".supd": socket_path.parent, "the project": socket_path.parent.parent}[which]
    os.chown(given, ANN, ANN)
    assert reason(socket_path) == f"{given} belongs to uid {ANN}"


def test_a_symlink_is_judged_by_both_its_ends(socket_path: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    os.chmod(elsewhere, 0o777)
    (elsewhere / ".supd").mkdir()
    (elsewhere / ".supd" / "supd.sock").touch()
    linked = tmp_path / "linked"
    linked.symlink_to(elsewhere)
    assert reason(linked / ".supd" / "supd.sock") == f"{elsewhere} is writable by others"


def test_a_path_beyond_sun_path_is_reached(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    directory = os.open(deep, os.O_PATH | os.O_DIRECTORY)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"/proc/self/fd/{directory}/supd.sock")
        listening.listen()
        os.close(directory)
        exchange = Exchange(Place(str(deep / "supd.sock"), "--socket"), "GET", "/v1/version")
        accepted, _ = listening.accept()
        accepted.close()
        assert exchange.peer_uid == os.getuid()
        exchange.close()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize(("is_named", "is_believed"), [(True, True), (False, False)], ids=["named by --socket", "found"])
def test_a_daemon_of_another_uid_is_believed_only_when_named(is_named: bool, is_believed: bool) -> None:
    directory = tempfile.mkdtemp(prefix="peer", dir="/tmp")
    os.chown(directory, ANN, ANN)
    path = os.path.join(directory, "s")
    ready, said = os.pipe()
    pid = os.fork()
    if pid == 0:
        with socket.socket(socket.AF_UNIX) as listening:
            os.setgid(ANN)
            os.setuid(ANN)
            listening.bind(path)
            listening.listen()
            os.write(said, b"x")
            listening.accept()
        os._exit(0)
    try:
        assert os.read(ready, 1) == b"x"
        if is_believed:
            exchange = Exchange(Place(path, "--socket", trusts_any_peer=is_named), "GET", "/v1/version")
            assert exchange.peer_uid == ANN
            exchange.close()
        else:
            with pytest.raises(NoDaemon, match=f"runs as uid {ANN}, neither you nor root"):
                Exchange(Place(path, "the project"), "GET", "/v1/version")
    finally:
        os.waitpid(pid, 0)
        os.close(ready)
        os.close(said)
        shutil.rmtree(directory)
