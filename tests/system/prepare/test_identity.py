"""Users and groups: who a process is, and what is refused by name when supd may not make it so."""

import os
import pwd
from typing import Any

import pytest

from supervisor.daemon.prepare_error import PrepareError
from supervisor.daemon.privileges import CAP_SETGID, CAP_SETUID
from supervisor.model.specification import Directory
from tests.system.prepare.worlds import EVERYTHING, NOBODY, NOBODYS, ORDINARY, PORTRAIT, World, as_nobody, command, own, unit

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="this test starts processes as other users: run it as root")

# Every Debian has these (base-passwd): daemon 1:1, adm 4, disk 6, nobody 65534.
DAEMON = {"user": "daemon"}


@pytest.mark.parametrize(
    ("execution", "expected"),
    [
        ({}, (None, None, None)),
        (DAEMON, (1, 1, [1])),
        ({"user": "1"}, (1, 1, [1])),
        ({"user": "daemon", "group": "adm"}, (1, 4, [4])),
        ({"user": "daemon", "group": "4", "supplementary_groups": ("disk", "6", "adm")}, (1, 4, [4, 6])),
        ({"group": "adm"}, (None, 4, None)),
        ({"supplementary_groups": ("disk",)}, (None, None, [6])),
        ({"user": "root"}, (0, 0, [0])),
    ],
    ids=["nothing said", "user", "number", "user and group", "supplementary", "group alone", "supplementary alone", "root"],
)
def test_names_become_numbers(world: World, execution: dict[str, Any], expected: tuple[Any, ...]) -> None:
    request = world.prepare(unit(**execution), own=own())
    assert (request.uid, request.gid, request.groups) == expected


@pytest.mark.parametrize(
    ("execution", "step", "status", "text"),
    [
        ({"user": "no-such"}, "USER", 217, 'cannot use user "no-such": the user database has no such user.'),
        ({"user": "54321"}, "USER", 217, 'cannot use user "54321": the user database has no such user.'),
        ({"user": "4294967295"}, "USER", 217, 'cannot use user "4294967295": the user database has no such user.'),
        ({"group": "no-such"}, "GROUP", 216, 'cannot use group "no-such": the group database has no such group.'),
        ({"group": "54321"}, "GROUP", 216, 'cannot use group "54321": the group database has no such group.'),
        ({"supplementary_groups": ("adm", "no-such")}, "GROUP", 216, 'cannot use group "no-such": the group database has no such group.'),
    ],
)
def test_who_does_not_exist_is_refused_with_systemds_status(
    world: World, execution: dict[str, Any], step: str, status: int, text: str
) -> None:
    with pytest.raises(PrepareError) as raised:
        world.prepare(unit(**execution), own=own())
    assert (raised.value.step, raised.value.exit_status) == (step, status)
    assert raised.value.text.startswith(text)


@pytest.mark.parametrize(
    ("privilege", "expected"),
    [("", (1, 4, [4, 6], [0], [0], True)), ("!", (None, None, None, [0], [0], True)), ("+", (None, None, None, None, None, False))],
    ids=["no prefix", "!", "+"],
)
def test_prefixes_lift_what_systemd_lifts(world: World, privilege: str, expected: tuple[Any, ...]) -> None:
    said = unit(
        user="daemon",
        group="adm",
        supplementary_groups=("disk",),
        capability_bounding_set=(0,),
        ambient_capabilities=(0,),
        no_new_privileges=True,
    )
    request = world.prepare(said, command=command("/bin/true", privilege=privilege), own=own())
    found = (request.uid, request.gid, request.groups, request.capability_bounding_set, request.ambient_capabilities)
    assert (*found, request.no_new_privileges) == expected
    assert "USER=daemon" in request.environment


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("daemon", {"USER": "daemon", "LOGNAME": "daemon", "HOME": "/usr/sbin"}),  # nologin is no shell
        ("nobody", {"USER": "nobody", "LOGNAME": "nobody", "HOME": "/nonexistent"}),
        ("root", {"USER": "root", "LOGNAME": "root", "HOME": "/root", "SHELL": pwd.getpwuid(0).pw_shell}),
        ("0", {"USER": "root", "LOGNAME": "root", "HOME": "/root", "SHELL": pwd.getpwuid(0).pw_shell}),
    ],
)
def test_login_variables_are_set_with_user_and_only_where_usable(world: World, user: str, expected: dict[str, str]) -> None:
    found = world.variables(unit(user=user), own=own())
    assert {name: found[name] for name in ("USER", "LOGNAME", "HOME", "SHELL") if name in found} == expected


@pytest.mark.parametrize(
    ("execution", "expected"),
    [
        ({"user": "daemon", "working_directory": "~"}, "/usr/sbin"),
        ({"working_directory": "~"}, "/root"),
        ({"working_directory": "/srv"}, "/srv"),
        ({"working_directory": "data"}, "{world}/data"),
        ({}, "{world}"),
    ],
)
def test_the_working_directory(world: World, execution: dict[str, Any], expected: str) -> None:
    assert world.prepare(unit(**execution), own=own()).working_directory == expected.replace("{world}", str(world.directory))


def test_a_user_without_home_cannot_start_in_it(world: World) -> None:
    said = unit(working_directory="~")
    with pytest.raises(PrepareError) as raised:
        world.prepare(said, own=own(uid=54321))
    assert (raised.value.step, raised.value.exit_status) == ("CHDIR", 200)
    assert world.prepare(unit(working_directory="~", working_directory_is_optional=True), own=own(uid=54321))


# ---- an ordinary user's supd


@pytest.mark.parametrize(
    ("execution", "status", "text"),
    [
        ({"user": "daemon"}, 217, 'user = "daemon": supd runs as uid 1000 and may not become another user.'),
        ({"user": "root"}, 217, 'user = "root": supd runs as uid 1000 and may not become another user.'),
        ({"group": "adm"}, 216, 'group = "adm": supd runs as uid 1000 and may not change its group from 1000 to 4.'),
        ({"supplementary_groups": ("disk",)}, 216, 'supplementary_groups = "disk": supd runs as uid 1000 and is not a member of group 6'),
    ],
)
def test_an_ordinary_user_is_refused_by_name(world: World, execution: dict[str, Any], status: int, text: str) -> None:
    with pytest.raises(PrepareError) as raised:
        world.prepare(unit(**execution), own=ORDINARY)
    assert raised.value.exit_status == status
    assert text in raised.value.text.replace(" (" + _name_of_1000() + ")", "")
    assert raised.value.text.endswith(f'Run supd as root, or remove "{next(iter(execution))}" from the unit.')


def _name_of_1000() -> str:
    try:
        return pwd.getpwuid(1000).pw_name
    except KeyError:
        return ""


def test_a_group_one_is_a_member_of_already_needs_no_privilege(world: World) -> None:
    request = world.prepare(unit(supplementary_groups=("44",)), own=ORDINARY)  # video, of every Debian
    assert (request.uid, request.gid, request.groups) == (None, None, None)


def test_a_refused_user_does_not_matter_to_a_command_with_full_privileges(world: World) -> None:
    assert world.prepare(unit(user="daemon"), command=command("/bin/true", privilege="+"), own=ORDINARY).uid is None


@pytest.mark.parametrize(("missing", "status"), [(CAP_SETUID, 217), (CAP_SETGID, 216)])
def test_a_root_without_the_capability_is_refused_too(world: World, missing: int, status: int) -> None:
    with pytest.raises(PrepareError, match="Give supd that privilege") as raised:
        world.prepare(unit(user="daemon"), own=own(capabilities=EVERYTHING & ~(1 << missing)))
    assert raised.value.exit_status == status


# ---- held up to real processes


@needs_root
@pytest.mark.parametrize(
    ("execution", "uid", "gid", "groups"),
    [
        ({"user": "daemon", "group": "adm", "supplementary_groups": ("disk",)}, 1, 4, [4, 6]),
        ({"user": "nobody"}, NOBODY, NOBODY, [NOBODY]),
        ({"group": "adm"}, 0, 4, None),
    ],
)
def test_the_process_is_who_the_unit_says(world: World, execution: dict[str, Any], uid: int, gid: int, groups: list[int] | None) -> None:
    portrait = world.launch(unit(main=PORTRAIT, **execution))
    assert portrait["uids"] == [uid] * 3
    assert portrait["gids"] == [gid] * 3
    assert portrait["groups"] == (sorted(os.getgroups()) if groups is None else groups)


@needs_root
def test_as_an_ordinary_user_ones_own_name_is_accepted(world: World) -> None:
    portrait = world.launch(unit(main=PORTRAIT, user="nobody"), keeper_uid=NOBODY, own=NOBODYS)
    assert (portrait["uids"], portrait["gids"], portrait["groups"]) == ([NOBODY] * 3, [NOBODY] * 3, [])


@needs_root
def test_a_real_ordinary_user_finds_out_by_himself_what_he_may(world: World) -> None:
    world.directory.chmod(0o777)

    def question() -> str:
        found = world.variables(unit(user="nobody", directories=(Directory("state", "own/dir"),)))
        try:
            world.prepare(unit(user="daemon"))
        except PrepareError as error:
            return f"{found['STATE_DIRECTORY']} {error.text}"
        return "not refused"

    assert as_nobody(question) == (
        f"{world.directory}/state/own/dir "
        f'cannot give web user = "daemon": supd runs as uid {NOBODY} (nobody) and may not become another user. '
        'Run supd as root, or remove "user" from the unit.'
    )
