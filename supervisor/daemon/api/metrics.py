"""/metrics: the state of supd as Prometheus text (exposition format 0.0.4), written by hand because it is twenty lines.

Only figures that the manager already holds: a scrape causes no scan of /proc and no reading of files.
"""

from supervisor.daemon.api.service import Supervision
from supervisor.model.states import ActiveState

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def render(world: Supervision) -> str:
    """The whole page."""
    briefs = [world.brief(name) for name in world.names([], [])]
    counts = {str(state): 0 for state in ActiveState}
    for brief in briefs:
        state = str(brief["active_state"])
        counts[state] = counts.get(state, 0) + 1
    status = world.status()
    lines = ["# HELP supd_units Units by active state.", "# TYPE supd_units gauge"]
    lines += [f'supd_units{{state="{_quoted(state)}"}} {count}' for state, count in counts.items()]
    lines += ["# HELP supd_jobs Queued jobs.", "# TYPE supd_jobs gauge", f"supd_jobs {len(world.jobs())}"]
    lines += ["# HELP supd_start_time_seconds When supd started, since the epoch.", "# TYPE supd_start_time_seconds gauge"]
    lines += [f"supd_start_time_seconds {status.get('started_time_s', 0)}"]
    lines += ["# HELP supd_unit_restarts_total Automatic restarts since the unit was last started by order."]
    lines += ["# TYPE supd_unit_restarts_total counter"]
    lines += [f'supd_unit_restarts_total{{unit="{_quoted(str(b["id"]))}"}} {b.get("n_restarts", 0)}' for b in briefs]
    lines += ["# HELP supd_unit_up Whether the unit is active or reloading.", "# TYPE supd_unit_up gauge"]
    lines += [f'supd_unit_up{{unit="{_quoted(str(b["id"]))}"}} {int(b["active_state"] in ("active", "reloading"))}' for b in briefs]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
