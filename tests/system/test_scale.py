"""How many instances of a template run, as a real supd is told by `supctl scale`."""

import os
from collections.abc import Iterator

import pytest

from supervisor.config import overrides
from tests.system.supd import Supd

OLD = '[service]\nexec_start = "sleep 1000"\n'


@pytest.fixture
def world() -> Iterator[Supd]:
    supd = Supd({})
    supd.start()
    try:
        yield supd
        supd.stop()
    finally:
        supd.remove()


def test_an_instance_that_somebody_has_looked_at_goes_with_the_others(world: Supd) -> None:
    world.write("units/worker@.toml", "[unit]\ninstances = 1\n" + OLD)
    world.wait_until("worker@1", "running")
    assert world.show("worker@2")["active_state"] == "inactive"
    world.supctl("scale", "worker", "2")
    world.wait_until("worker@2", "running")
    assert world.supctl("scale", "worker", "1").stdout == "stopped: worker@2\n"
    assert world.show("worker@2")["active_state"] == "inactive"


def test_a_scale_that_its_manager_did_not_live_to_carry_out_is_carried_out_by_the_next(world: Supd) -> None:
    world.write("units/worker@.toml", "[unit]\ninstances = 1\n" + OLD)
    world.wait_until("worker@1", "running")
    overrides.write_instances(world.path(".supd"), "worker", 3)  # what a scale does first; its manager is killed before it does more
    os.kill(world.get("/v1/version")["manager_pid"], 9)
    for name in ("worker@2", "worker@3"):
        world.wait_until(name, "running")
