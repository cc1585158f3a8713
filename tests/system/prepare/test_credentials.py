"""Credentials: copied for the unit's user alone, all or none, gone when the unit is down."""

import os
import stat
from pathlib import Path

import pytest

from supervisor.daemon import credentials
from supervisor.daemon.prepare import Preparer
from supervisor.daemon.prepare_error import PrepareError
from supervisor.model.states import Phase
from tests.system.prepare.worlds import NOBODY, World, as_nobody, unit

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="this test gives files to other users: run it as root")


def stored(world: World, name: str = "web") -> Path:
    return world.directory / "runtime" / "credentials" / name


def loaded(world: World) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in stored(world).iterdir()}


@pytest.fixture
def secret(world: World) -> Path:
    path = world.directory / "secret"
    path.write_bytes(b"\0s3cret\xff\n")
    return path


def test_a_credential_is_copied_byte_for_byte_and_its_directory_named(world: World, secret: Path) -> None:
    found = world.variables(unit(credentials=(("token", str(secret)),)))
    assert found["CREDENTIALS_DIRECTORY"] == str(stored(world))
    assert loaded(world) == {"token": b"\0s3cret\xff\n"}
    assert stat.S_IMODE(stored(world).stat().st_mode) == 0o500
    assert stat.S_IMODE((stored(world) / "token").stat().st_mode) == 0o400


@pytest.mark.parametrize(
    ("phase", "is_written"),
    [
        (Phase.CONDITION, True),
        (Phase.START_PRE, True),
        (Phase.START, True),
        (Phase.START_POST, False),
        (Phase.RELOAD, False),
        (Phase.STOP, False),
        (Phase.STOP_POST, False),
    ],
)
def test_they_are_written_before_start_commands_only_and_named_to_all(world: World, secret: Path, phase: Phase, is_written: bool) -> None:
    found = world.variables(unit(credentials=(("token", str(secret)),)), phase=phase)
    assert "CREDENTIALS_DIRECTORY" in found
    assert stored(world).exists() == is_written


def test_each_start_writes_them_anew(world: World, secret: Path) -> None:
    said = unit(credentials=(("token", str(secret)),))
    world.prepare(said)
    secret.write_text("new")
    world.prepare(said, phase=Phase.STOP)
    assert loaded(world) == {"token": b"\0s3cret\xff\n"}
    world.prepare(said)
    assert loaded(world) == {"token": b"new"}
    assert os.listdir(stored(world).parent) == ["web"]


def test_a_directory_gives_one_credential_for_each_file(world: World) -> None:
    source = world.directory / "secrets"
    source.mkdir()
    (source / "a").write_text("1")
    (source / "b").write_text("2")
    (source / "sub").mkdir()
    world.prepare(unit(credentials=(("all", str(source)),)))
    assert loaded(world) == {"all_a": b"1", "all_b": b"2"}


def test_a_relative_source_is_one_that_supd_itself_was_given_and_may_be_missing(world: World, secret: Path) -> None:
    said = unit(credentials=(("token", "secret"), ("other", "missing")))
    world.prepare(said, own_environment={"CREDENTIALS_DIRECTORY": str(world.directory)})
    assert loaded(world) == {"token": b"\0s3cret\xff\n"}
    world.prepare(said, own_environment={})
    assert loaded(world) == {}


def test_in_a_project_a_relative_source_is_a_path_in_it(project: World, secret: Path) -> None:
    project.prepare(unit(credentials=(("token", "secret"),)))
    assert loaded(project) == {"token": b"\0s3cret\xff\n"}
    with pytest.raises(PrepareError, match='cannot load credential "token" of web from missing: no such file or directory'):
        project.prepare(unit(credentials=(("token", "missing"),)))


def test_a_missing_source_ends_the_preparation_with_243(world: World, secret: Path) -> None:
    with pytest.raises(PrepareError) as raised:
        world.prepare(unit(credentials=(("good", str(secret)), ("bad", "/no/such/file"))))
    assert (raised.value.step, raised.value.exit_status) == ("CREDENTIALS", 243)
    assert raised.value.text == 'cannot load credential "bad" of web from /no/such/file: no such file or directory.'
    assert not stored(world).exists()


def test_all_of_a_unit_together_are_bounded(world: World) -> None:
    half = world.directory / "half"
    half.write_bytes(b"x" * (credentials.TOTAL_LIMIT_BYTES // 2))
    world.prepare(unit(credentials=(("a", str(half)), ("b", str(half)))))
    with pytest.raises(PrepareError, match=r'"c" of web from .*: all credentials of a unit together may hold 1048576 bytes'):
        world.prepare(unit(credentials=(("a", str(half)), ("b", str(half)), ("c", "/etc/hostname"))))


def test_they_go_at_release_even_when_the_unit_will_restart(world: World, secret: Path) -> None:
    said = unit(credentials=(("token", str(secret)),), runtime_directory_preserve="yes")
    preparer = Preparer(world.context())
    assert preparer.has_leftovers(said)
    world.prepare(said)
    assert preparer.release(said, True) == []
    assert not stored(world).exists()
    assert preparer.release(said, False) == []


def test_a_link_in_their_place_is_not_followed(world: World, secret: Path) -> None:
    elsewhere = world.directory / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").write_text("x")
    stored(world).parent.mkdir(parents=True)
    stored(world).symlink_to(elsewhere)
    with pytest.raises(PrepareError) as raised:
        world.prepare(unit(credentials=(("token", str(secret)),)))
    assert raised.value.exit_status == 243
    assert [path.name for path in elsewhere.iterdir()] == ["file"]


@needs_root
def test_only_the_units_user_may_read_them(world: World, secret: Path) -> None:
    secret.chmod(0o600)
    world.prepare(unit("web", user="nobody", credentials=(("token", str(secret)),)))
    world.prepare(unit("db", user="daemon", credentials=(("token", str(secret)),)))
    assert (stored(world) / "token").stat().st_uid == NOBODY

    def question() -> str:
        own = (stored(world) / "token").read_bytes()
        try:
            (stored(world, "db") / "token").read_bytes()
        except PermissionError:
            return f"{own!r}, and no other"
        return "read another's"

    assert as_nobody(question) == repr(b"\0s3cret\xff\n") + ", and no other"


@needs_root
def test_an_ordinary_users_supd_writes_replaces_and_removes_them(world: World, secret: Path) -> None:
    world.directory.chmod(0o777)
    said = unit(credentials=(("token", str(secret)),))

    def question() -> str:
        world.prepare(said)
        world.prepare(said)
        content = loaded(world)
        return f"{content} {Preparer(world.context()).release(said, False)} {stored(world).exists()}"

    assert as_nobody(question) == f"{ {'token': secret.read_bytes()} } [] False"
