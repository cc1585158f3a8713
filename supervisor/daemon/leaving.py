"""What is said while supd stops everything: which units it waits for, and for how long at most.

The only repeated timer of the manager, and it runs only while supd leaves.
"""

import asyncio

from supervisor.daemon.announce import Announcer
from supervisor.daemon.shell import Shell, now
from supervisor.engine import timeouts

SAY_EVERY_S = 5.0
NAMED_MAX = 10  # units in one sentence


def text(shell: Shell) -> str:
    """ "waiting for db, 12 s of 90 s; web, 3 s of 90 s": every unit that is on its way down; "" when there is none."""
    core, mono_us = shell.engine.core, now().mono_us
    parts = []
    for name in sorted(core.not_down):
        state, spec = core.states[name], core.specs.get(name)
        at = timeouts.state_deadline_of(spec.service, state) if spec is not None and spec.service is not None else None
        passed_s = (mono_us - state.timer_from_us) // 1_000_000
        limit = f" of {(at - state.timer_from_us) // 1_000_000} s" if at is not None else ""
        waits = f" for {', '.join(sorted(state.job.blocked_by))} to stop first" if state.job is not None and state.job.blocked_by else ""
        parts.append(f"{name}, {passed_s} s{limit}" if not waits else f"{name}{waits}")
    more = f"; and {len(parts) - NAMED_MAX} more" if len(parts) > NAMED_MAX else ""
    return f"waiting for {'; '.join(parts[:NAMED_MAX])}{more}" if parts else ""


async def tell(shell: Shell, announcer: Announcer) -> None:
    """Say it every few seconds until cancelled."""
    while True:
        await asyncio.sleep(SAY_EVERY_S)
        if shell.engine.core.leaving is not None and (words := text(shell)):
            announcer.say("info", words)
