"""An orderly end: in reverse order, side by side where nothing orders, within the time-outs, and with a word on what is waited for."""

import os
import re
import signal
from pathlib import Path

from tests.system.conftest import StartSupd

ORDERED = """
[unit]
depends_on = [{needs}]
[service]
exec_start = "sh -c 'trap \\"echo {name} >> order; exit 0\\" TERM; while :; do sleep 0.05; done'"
"""
# The end of either waits until that of the other has begun. (`mixed`: the writer is not to be ended by the stop it is part of.)
MEETING = """
trap 'echo x > meet-{other} & read word < meet-{name}; wait; echo {name} >> order; exit 0' TERM
while :; do sleep 0.05; done
"""
STUBBORN = """
[service]
exec_start = "sh -c 'trap : TERM; while :; do sleep 0.05; done'"
timeout_stop_sec = "{limit_s}s"
"""


def test_the_order_is_reverse_and_what_nothing_orders_ends_side_by_side(make_supd: StartSupd) -> None:
    chain = {"db": "", "web": '"db"', "edge": '"web"'}
    pair = {"left": "right", "right": "left"}
    supd = make_supd(
        {name: ORDERED.format(name=name, needs=needs) for name, needs in chain.items()}
        | {name: f'[service]\nexec_start = "sh {name}.sh"\nkill_mode = "mixed"\n' for name in pair},
        {f"{name}.sh": MEETING.format(name=name, other=other) for name, other in pair.items()},
    )
    for name in pair:
        os.mkfifo(supd.path(f"meet-{name}"))
    supd.start()
    for unit in ("edge", "left", "right"):
        supd.wait_until(unit, "active")
    supd.supctl("shutdown")
    assert supd.wait_for_end() == 0
    order = Path(supd.path("order")).read_text().split()
    assert [name for name in order if name in chain] == ["edge", "web", "db"]
    assert set(order) == {*chain, *pair}


def test_progress_is_told_by_supctl_and_by_supd_and_the_time_out_is_obeyed(make_supd: StartSupd) -> None:
    supd = make_supd({"stubborn": STUBBORN.format(limit_s=7), "meek": '[service]\nexec_start = "sleep 1000"\n'})
    supd.start()
    supd.wait_until("stubborn", "active")
    ran = supd.supctl("shutdown")
    assert re.search(r"^waiting for stubborn, \d s of 7 s$", ran.stderr, re.MULTILINE), ran.stderr
    assert supd.wait_for_end() == 0
    assert re.search(r"waiting for stubborn, \d s of 7 s", supd.said())
    supd.assert_nothing_left()


def test_a_second_request_does_not_wait_for_the_time_out(make_supd: StartSupd) -> None:
    supd = make_supd({"stubborn": STUBBORN.format(limit_s=3000)})
    supd.start()
    supd.wait_until("stubborn", "active")
    supd.supctl("shutdown", "--no-block")
    supd.wait_until("stubborn", "stop-sigterm")
    os.kill(supd.keeper_pid, signal.SIGTERM)
    assert supd.wait_for_end() == 0
    supd.assert_nothing_left()
