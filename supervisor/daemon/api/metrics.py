"""/metrics: the state of supd and of its units as Prometheus text (exposition format 0.0.4), through Prometheus's own library.

The library is imported with the first scrape, in a thread (`load`): a supd that nobody scrapes does not pay for it. Figures are
collected on the loop; making text of them is left to the caller, for a thread. Who may see some units only gets those units' figures.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from supervisor.daemon.api.service import Supervision
from supervisor.model.states import ActiveState

if TYPE_CHECKING:
    from prometheus_client import Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def load() -> None:
    """Import the library; a twentieth of a second the first time, nothing later."""
    import prometheus_client.exposition  # noqa: F401  # loaded here, used below


def collect(world: Supervision, loop_lag_s: float) -> "list[Metric]":
    """Every figure as it is now. `loop_lag_s`: how long the loop let this request wait for its turn."""
    return [*_of_supd(world, loop_lag_s), *_of_units(world), _of_jobs(world)]


def text(families: "list[Metric]") -> bytes:
    """The whole page. Touches nothing but its argument."""
    from prometheus_client import CollectorRegistry, generate_latest

    class Collected:
        def collect(self) -> "Iterator[Metric]":
            return iter(families)

    registry = CollectorRegistry()
    registry.register(Collected())
    return generate_latest(registry)


def _of_supd(world: Supervision, loop_lag_s: float) -> "Iterator[Metric]":
    from prometheus_client.core import GaugeMetricFamily

    counts = {str(state): 0 for state in ActiveState}
    for name in world.names([], []):
        counts[str(world.brief(name)["active_state"])] += 1
    units = GaugeMetricFamily("supd_units", "Units by active state.", labels=["state"])
    for state, count in counts.items():
        units.add_metric([state], count)
    yield units
    yield GaugeMetricFamily("supd_jobs", "Queued jobs.", value=len(world.jobs()))
    started_s = float(world.status().get("started_time_s", 0))
    yield GaugeMetricFamily("supd_start_time_seconds", "When supd started, since the epoch.", value=started_s)
    yield GaugeMetricFamily("supd_loop_lag_seconds", "How long this scrape waited for its turn in the event loop.", value=loop_lag_s)


def _of_units(world: Supervision) -> "Iterator[Metric]":
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    up = GaugeMetricFamily("supd_unit_up", "Whether the unit is active or reloading.", labels=["unit"])
    states = GaugeMetricFamily("supd_unit_state", "1 for the state the unit is in.", labels=["unit", "state", "sub_state"])
    restarts = CounterMetricFamily("supd_unit_restarts", "Automatic restarts since the unit was last started by order.", labels=["unit"])
    memory = GaugeMetricFamily("supd_unit_memory_bytes", "Resident memory of the unit's processes.", labels=["unit"])
    cpu = GaugeMetricFamily("supd_unit_cpu_seconds", "CPU time of the processes that the unit has now.", labels=["unit"])
    lost = CounterMetricFamily("supd_unit_log_lost_bytes", "Output that could not be kept, since the manager started.", labels=["unit"])
    kept = CounterMetricFamily("supd_unit_log_bytes", "Output that was kept, since the manager started.", labels=["unit"])
    for name in world.names([], []):
        brief, figures = world.brief(name), world.figures(name)
        state = str(brief["active_state"])
        up.add_metric([name], int(state in ("active", "reloading")))
        states.add_metric([name, state, str(brief["sub_state"])], 1)
        restarts.add_metric([name], brief.get("n_restarts", 0))
        kept.add_metric([name], figures["log_bytes"])
        lost.add_metric([name], figures["log_lost_bytes"])
        if figures["memory_current_bytes"] is not None:
            memory.add_metric([name], figures["memory_current_bytes"])
            cpu.add_metric([name], figures["cpu_usage_nsec"] / 1e9)
    yield from (up, states, restarts, memory, cpu, kept, lost)


def _of_jobs(world: Supervision) -> "Metric":
    from prometheus_client.core import SummaryMetricFamily

    jobs = SummaryMetricFamily(
        "supd_job_seconds", "Jobs that ended since the manager started, from their making to their end.", labels=["type", "result"]
    )
    for (type_, result), (count, total_us) in world.job_times().items():
        jobs.add_metric([type_, result], count_value=count, sum_value=total_us / 1e6)
    return jobs
