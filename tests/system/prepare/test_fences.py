"""Limits, scheduling, capabilities and the rest of the fences: the numbers, what is refused, and what a process says of itself."""

import os
import resource
from pathlib import Path
from typing import Any

import pytest

from supervisor.daemon.prepare_error import PrepareError
from supervisor.model.specification import Limit
from tests.system.prepare.worlds import NOBODY, NOBODYS, ORDINARY, PORTRAIT, World, own, unit

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="this test gives processes what only root may give: run it as root")

SOFT, HARD = resource.getrlimit(resource.RLIMIT_NOFILE)
NR_OPEN = int(Path("/proc/sys/fs/nr_open").read_text())
NOFILE = resource.RLIMIT_NOFILE
CORE = resource.RLIMIT_CORE


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ((), None),
        ((Limit("NOFILE", 100, 200),), [[NOFILE, 100, 200]]),
        ((Limit("NOFILE", None, None),), [[NOFILE, HARD, HARD]]),
        ((Limit("CORE", 0, None), Limit("NOFILE", 10, 10)), [[CORE, 0, -1], [NOFILE, 10, 10]]),
        ((Limit("LOCKS", 5, 5),), [[10, 5, 5]]),
    ],
    ids=["nothing said", "a pair", "infinity is what there is", "two", "one the resource module does not name"],
)
def test_limits_become_the_kernels_numbers(world: World, limits: tuple[Limit, ...], expected: list[list[int]] | None) -> None:
    assert world.prepare(unit(limits=limits), own=own()).limits == expected


@pytest.mark.parametrize(
    ("limit", "is_root", "text"),
    [
        (Limit("NOFILE", 20, 10), True, "cannot set limit_nofile of web: the soft limit 20 is above the hard limit 10."),
        (Limit("CORE", None, 10), True, "cannot set limit_core of web: the soft limit infinity is above the hard limit 10."),
        (Limit("NOFILE", 10, NR_OPEN + 1), True, f"cannot set limit_nofile of web to {NR_OPEN + 1}: the kernel allows {NR_OPEN} (sysctl"),
        (
            Limit("NOFILE", 10, HARD + 1),
            False,
            f"cannot set limit_nofile of web to {HARD + 1}: supd's own hard limit is {HARD} and only root",
        ),
        (Limit("NICELY", 1, 1), True, "cannot set limit_nicely of web: there is no such limit."),
    ],
)
def test_limits_that_cannot_be_are_refused_by_name(world: World, limit: Limit, is_root: bool, text: str) -> None:
    with pytest.raises(PrepareError) as raised:
        world.prepare(unit(limits=(limit,)), own=own() if is_root else ORDINARY)
    assert (raised.value.step, raised.value.exit_status) == ("LIMITS", 205)
    assert raised.value.text.startswith(text)


@pytest.mark.parametrize(
    ("io_class", "level", "expected"),
    [
        (None, None, None),
        (None, 6, 2 << 13 | 6),
        (2, 0, 2 << 13),
        (2, None, 2 << 13 | 4),
        (1, 3, 1 << 13 | 3),
        (3, None, 3 << 13),
        (3, 7, 3 << 13),
        (0, None, 0),
    ],
)
def test_io_priorities_are_encoded_as_ioprio_set_wants_them(
    world: World, io_class: int | None, level: int | None, expected: int | None
) -> None:
    said = unit(io_scheduling_class=io_class, io_scheduling_priority=level)
    assert world.prepare(said, own=own()).io_priority == expected


@pytest.mark.parametrize(
    ("execution", "step", "status", "key"),
    [
        ({"nice": -5}, "NICE", 201, "nice"),
        ({"io_scheduling_class": 1}, "IOPRIO", 211, "io_scheduling_class"),
        ({"oom_score_adjust": -1000}, "OOM_ADJUST", 206, "oom_score_adjust"),
        ({"ambient_capabilities": (10,)}, "CAPABILITIES", 218, "ambient_capabilities"),
        ({"capability_bounding_set": (0, 1)}, "CAPABILITIES", 218, "capability_bounding_set"),
        ({"capability_bounding_set": ()}, "CAPABILITIES", 218, "capability_bounding_set"),
    ],
)
def test_an_ordinary_user_may_not_and_is_told_which_key(world: World, execution: dict[str, Any], step: str, status: int, key: str) -> None:
    with pytest.raises(PrepareError) as raised:
        world.prepare(unit(**execution), own=ORDINARY)
    assert (raised.value.step, raised.value.exit_status) == (step, status)
    assert raised.value.text.startswith(f"cannot give web {key} = ")
    assert raised.value.text.endswith(f'Run supd as root, or remove "{key}" from the unit.')
    assert world.prepare(unit(**execution), own=own())


@pytest.mark.parametrize(
    "execution",
    [
        {"nice": 19},
        {"io_scheduling_class": 3},
        {"oom_score_adjust": 1000},
        {"capability_bounding_set": tuple(range(64))},
        {"no_new_privileges": True},
        {"umask": 0o77},
        {"limits": (Limit("NOFILE", 10, HARD),)},
    ],
    ids=lambda execution: next(iter(execution)),
)
def test_what_needs_no_privilege_is_left_to_an_ordinary_user(world: World, execution: dict[str, Any]) -> None:
    assert world.prepare(unit(**execution), own=ORDINARY)


# ---- held up to real processes


@needs_root
def test_every_fence_holds_for_the_process(world: World) -> None:
    portrait = world.launch(
        unit(
            main=PORTRAIT,
            user="nobody",
            umask=0o027,
            limits=(Limit("CORE", 0, 4096),),
            nice=-3,
            cpu_affinity=(0,),
            io_scheduling_class=2,
            io_scheduling_priority=6,
            oom_score_adjust=7,
            capability_bounding_set=(10, 12),
            ambient_capabilities=(10,),
            no_new_privileges=True,
        )
    )
    expected = {
        "uids": [NOBODY] * 3,
        "umask": 0o027,
        "core": [0, 4096],
        "nofile": [SOFT, HARD],
        "nice": -3,
        "affinity": [0],
        "oom": 7,
        "bounding": 1 << 10 | 1 << 12,
        "ambient": 1 << 10,
        "effective": 1 << 10,
        "no_new_privileges": True,
        "cwd": str(world.directory),
    }
    assert {name: portrait[name] for name in expected} == expected
    assert portrait["io_priority"] in (2 << 13 | 6, None)


@needs_root
def test_the_fences_an_ordinary_user_may_set_hold_too(world: World) -> None:
    said = unit(main=PORTRAIT, nice=5, oom_score_adjust=500, umask=0o077, no_new_privileges=True, limits=(Limit("CORE", 0, 0),))
    portrait = world.launch(said, keeper_uid=NOBODY, own=NOBODYS)
    expected = {"nice": 5, "oom": 500, "umask": 0o077, "no_new_privileges": True, "uids": [NOBODY] * 3, "core": [0, 0]}
    assert {name: portrait[name] for name in expected} == expected
