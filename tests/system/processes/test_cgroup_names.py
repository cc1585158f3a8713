"""A unit's cgroup directory has a name that is its own and nobody else's."""

import pytest

from supervisor.daemon.cgroups import escape

NAMES = ["web", "worker@1", "cgroup.procs", "cpu.stat", "..", ".", "a/b", "a%2fb", "a b", "ü", "%", "x" * 255, "x" * 254 + "y", "web.unit"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_one_path_component_the_kernel_does_not_use(name: str) -> None:
    escaped = escape(name)
    assert escaped.endswith(".unit") and "/" not in escaped and len(escaped.encode()) <= 255


def test_no_two_units_share_a_directory() -> None:
    assert len({escape(name) for name in NAMES}) == len(NAMES)
