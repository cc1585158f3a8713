"""Runs that a keeper before this one spawned: alive, and nobody's children (DESIGN, Keeper's death).

Each is watched by pidfd and signalled by pidfd; how it ends only the kernel knows, so its end is "unknown". They are remembered
with the keeper under `orphan:<run>`, for the next manager and keeper alike, until their end is committed. Never: one whose
start time is not the recorded one.
"""

import json
import os
from typing import TYPE_CHECKING, Any

from supervisor.daemon import pidfds, recovery, stdio

if TYPE_CHECKING:
    from supervisor.daemon.shell import Shell

ORPHAN_PREFIX = "orphan:"
Json = dict[str, Any]


def remembered(texts: dict[str, str]) -> dict[int, Json]:
    """The orphans among the remembered texts, by run, in the form of the keeper's table."""
    found: dict[int, Json] = {}
    for key, text in texts.items():
        if key.startswith(ORPHAN_PREFIX):
            found[int(key.removeprefix(ORPHAN_PREFIX))] = json.loads(text)
    return found


class Orphans:
    """Those of this supd."""

    def __init__(self, shell: "Shell") -> None:
        self._shell = shell
        self._pidfds: dict[int, int] = {}  # run -> pidfd

    def __contains__(self, run: int) -> bool:
        return run in self._pidfds

    def adopt(self, run: int, entry: Json) -> bool:
        """Watch a run that lives; False when it does not any more. To adopt it again changes nothing."""
        if run in self._pidfds:
            return True
        pidfd = pidfds.open_process(entry["pid"], entry["start_time_ticks"])
        if pidfd is None:
            return False
        self._pidfds[run] = pidfd
        self._shell.reactor.add_reader(pidfd, lambda: self._on_ended(run))
        kept = {key: entry[key] for key in ("unit", "phase", "pid", "start_time_ticks", "reports")}
        self._shell.link.send({f"{ORPHAN_PREFIX}{run}": json.dumps(kept, separators=(",", ":"))}, [])
        self._take_up_output(entry["unit"], entry["pid"])
        return True

    def _take_up_output(self, unit: str, pid: int) -> None:
        pump, spec = self._shell.pump, self._shell.engine.core.specs.get(unit)
        execution = spec.execution if spec is not None else None
        out, err = (execution.standard_output, execution.standard_error) if execution is not None else ("log", "inherit")
        first = stdio.stream_of(unit, out, False)
        for number, stream in ((1, first), (2, first if err == "inherit" else stdio.stream_of(unit, err, True))):
            if stream is not None and not pump.has_pipe(stream) and (descriptor := recovery.log_pipe(pid, number)) is not None:
                pump.adopt(stream, descriptor)
        self._shell.spawning.store_now(unit)

    def _on_ended(self, run: int) -> None:
        pidfd = self._pidfds.pop(run)
        self._shell.reactor.remove_reader(pidfd)
        os.close(pidfd)
        self._shell.spawning.on_report(["exited", run, "unknown", 0, {}])
        self._shell.finish()
        self.forget(run)

    def forget(self, run: int) -> None:
        """Its end is known, and what came of it is committed: only now may the keeper forget that there was such a run."""
        self._shell.link.send({f"{ORPHAN_PREFIX}{run}": ""}, [])
