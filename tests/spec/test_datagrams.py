"""What systemd 252 made of single notify datagrams (`tests/agreement/datagrams.py`), row by row: parsed and taken in here, it is the same.

Descriptors are the shell's affair: what is stored of them is compared where a real supd plays these rows.
"""

import pytest

from supervisor.daemon import notifymessage
from tests.agreement import compare, datagrams
from tests.agreement.scenario import Scenario
from tests.spec.behaviour import runs
from tests.spec.build import SECOND, unit
from tests.spec.world import World

ROWS = datagrams.rows()
RECORDED = compare.recorded(compare.DATAGRAMS)


def _seen(said: str, row: Scenario) -> list[str]:
    """The words of an answer without the count of stored descriptors."""
    phase, sender, access, text = said.split(" ", 3)
    watchdog_us = 10 * SECOND if "watchdog_sec" in row.units["a"]["service"] else None
    world = World(unit("a", type="notify", notify_access=access, watchdog_us=watchdog_us))
    world.behave("a", runs(leaves=(runs(),)))
    world.start("a")
    main, child = (process.pid for process in world.processes("a"))
    if phase == "running":
        world.notify("a", READY="1", STATUS="initial")
    raw, _ = datagrams.payload(text)
    message = notifymessage.parse(raw.replace(datagrams.KID.encode(), str(child).encode()))
    if not message.is_barrier:
        world.send("a", child if sender == "child" else main, message.fields)
    shown = world.show("a")
    name = {0: "none", main: "original", child: "child"}[shown["main_pid"]]
    state, result = f"{shown['active_state']}/{shown['sub_state']}", shown["result"]
    return [state, result, str(shown["status_errno"]), str(shown["watchdog_usec"] or 0), name, datagrams.told(shown["status_text"])]


@pytest.mark.parametrize("phase", datagrams.PHASES)
def test_a_datagram_is_understood_as_systemd_252_understood_it(phase: str) -> None:
    differing = []
    for said, row in ROWS.items():
        if not said.startswith(phase):
            continue
        state, result, errno, _, *rest = RECORDED[said]["seen"].split(" ", 6)
        recorded = [state, result, errno, *rest]
        if (given := _seen(said, row)) != recorded:
            differing.append(f"{said}:\n  systemd {recorded}\n  here    {given}")
    assert not differing, f"{len(differing)} datagrams go otherwise; the first ones:\n" + "\n".join(differing[:10])


def test_every_datagram_has_an_answer_and_every_answer_a_datagram() -> None:
    assert set(RECORDED) == set(ROWS)
