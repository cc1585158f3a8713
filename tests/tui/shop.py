"""A supd as one meets it at three in the morning, in memory: a shop of some forty units, where a deployment went half wrong.

For pictures, and for tests of whole screens. Everything in it is fixed: the same figures come at the same moment of the virtual clock.
"""

import math
from typing import Any

from supervisor.tui.app import SupdApp
from supervisor.tui.link.protocol import Json
from tests.system.api.fake_world import FakeWorld, run
from tests.tui import briefs
from tests.tui.briefs import brief
from tests.tui.logfiles import UnitLog
from tests.tui.memory import MemoryTransport
from tests.tui.pilot import app_over

# A picture is taken when figures have come for so long; what the shop tells is of that moment.
FIGURES_S = 16
NOW_S = briefs.NOW_S + FIGURES_S

MIB = 1 << 20
HOUR_S, DAY_S = 3600.0, 86400.0


def _up(name: str, age_s: float, pid: int, description: str, **more: Any) -> Json:
    """A unit that runs since `age_s`."""
    since_s = NOW_S - age_s
    times = {"active_enter_time_s": since_s, "inactive_exit_time_s": since_s - 0.4, "state_change_time_s": since_s}
    return brief(name, main_pid=pid, description=description, **{**times, **more})


def _down(name: str, description: str, active: str = "inactive", sub: str = "dead", ended_s: float | None = None, **more: Any) -> Json:
    """A unit that does not run; `ended_s` ago it did."""
    at_s = None if ended_s is None else NOW_S - ended_s
    times = {"inactive_enter_time_s": at_s, "state_change_time_s": at_s}
    return brief(name, active, sub, description=description, **{"main_pid": 0, **times, **more})


def _failed(name: str, description: str, ended_s: float, **more: Any) -> Json:
    return _down(name, description, "failed", "failed", ended_s, **more)


def units() -> list[Json]:
    """Brief objects, in the order of their names."""
    made = [
        *[_up(f"api-{n}", 12 * DAY_S - 61 * n, 1200 + n, f"API shard {n}", status_text="") for n in (1, 2, 3, 4, 6, 8)],
        _up("api-5", 3 * HOUR_S, 40912, "API shard 5", health="failing"),
        _failed("api-7", "API shard 7", 131, result="oom-kill", exec_main_code="killed", exec_main_status=9, n_restarts=12),
        _up("cache-1", 9 * DAY_S, 1180, "Redis, carts and sessions", status_text="Ready to accept connections"),
        _down("cache-2", "Redis, catalogue", "activating", "auto-restart", 41, result="exit-code", exec_main_code="exited",
              exec_main_status=1, n_restarts=4, next_time_s=NOW_S + 8),
        _up("checkout", 90, 41377, "Orders and payment", status_text="3 payments under way"),
        _up("db", 12 * DAY_S, 1101, "PostgreSQL 16", status_text="database system is ready"),
        _up("db-replica", 12 * DAY_S, 1102, "PostgreSQL 16, streaming from db"),
        _up("gateway", 5 * DAY_S, 2210, "nginx, TLS and routing", status_text="214 connections"),
        _up("ingest", 6 * HOUR_S, 39002, "Price lists of the suppliers", status_text="file 311 of 420"),
        _down("legacy-ftp", "Uploads of the old partners", load_state="masked", enabled="masked"),
        _down("mail-relay", "Outgoing mail", ended_s=6 * DAY_S, enabled="disabled"),
        _up("metrics", 2 * DAY_S, 31007, "Prometheus node exporter", needs_restart=True),
        _down("newsletter", "Monday's letter", job={
            "id": 912, "unit": "newsletter", "type": "start", "state": "waiting", "waits_for": ["cache-2"], "since_s": NOW_S - 12}),
        _down("pricing", "Daily prices", load_state="bad-setting"),
        _up("recommend", 40 * 60, 40511, "Recommendations", rolled_back="came not up within 20 s"),
        _down("search", "Catalogue search", "activating", "start", n_restarts=1, inactive_exit_time_s=NOW_S - 4),
        _up("sessions", 12 * DAY_S, 1190, "Sign-in and sessions"),
        _up("shop", 12 * DAY_S, 0, "Everything customers see", kind="target", sub_state="active"),
        _up("thumbnails", 80 * 60, 40100, "Pictures in four sizes"),
        *[_up(f"worker@{n}", 4 * DAY_S + 7 * n, 30100 + n, f"Worker {n} of the shop") for n in (1, 2, 3, 5, 6)],
        _up("worker@4", 4 * DAY_S, 30104, "Worker 4 of the shop", active="reloading", sub="reload", state_change_time_s=NOW_S - 1),
        _down("backup", "Dump of db to the vault", kind="task", ended_s=21 * HOUR_S, inactive_exit_time_s=NOW_S - 21 * HOUR_S - 252,
              next_time_s=NOW_S + 3 * HOUR_S + 12 * 60, missed=0),
        _failed("invoice-run", "Invoices of the day", 50 * 60, kind="task", result="exit-code", exec_main_code="exited", exec_main_status=3,
                inactive_exit_time_s=NOW_S - 51 * 60, n_restarts=2),
        _down("migrate", "Schema of db", kind="task", ended_s=64 * 60, inactive_exit_time_s=NOW_S - 64 * 60 - 7.2),
        _down("reindex", "Catalogue into search", "activating", "start", kind="task", inactive_exit_time_s=NOW_S - 312, main_pid=41200),
        _down("sync-stock", "Stock of the warehouse", kind="task", ended_s=20, inactive_exit_time_s=NOW_S - 22.5, next_time_s=NOW_S + 40,
              missed=2),
    ]  # fmt: skip
    for one in made:
        if one["sub_state"] == "start":
            one["state_change_time_s"] = one["inactive_exit_time_s"]
    return sorted(made, key=lambda one: str(one["id"]))


_NEEDS: dict[str, list[str]] = {
    "gateway": [f"api-{n}" for n in range(1, 9)],
    **{f"api-{n}": ["db", "cache-1", "cache-2"] for n in range(1, 9)},
    "checkout": ["db", "sessions"],
    "cache-2": ["db"],
    "db-replica": ["db"],
    "search": ["db", "reindex"],
    "newsletter": ["cache-2", "mail-relay"],
    "recommend": ["cache-2", "db-replica"],
    "sessions": ["cache-1"],
    "thumbnails": ["ingest"],
    **{f"worker@{n}": ["db", "cache-1"] for n in range(1, 7)},
}
_REVERSED = {"requires": "required_by", "after": "before", "wants": "wanted_by"}


def _relations() -> dict[str, Json]:
    found: dict[str, Json] = {}

    def tie(unit: str, kind: str, other: str) -> None:
        found.setdefault(unit, {}).setdefault(kind, []).append(other)
        found.setdefault(other, {}).setdefault(_REVERSED[kind], []).append(unit)

    for unit, needed in _NEEDS.items():
        for other in needed:
            tie(unit, "requires", other)
            tie(unit, "after", other)
    for unit in ("gateway", "checkout", "search", "recommend", "sessions", "thumbnails"):
        tie("shop", "wants", unit)
    return found


_CPU_PERCENT = {
    "api-5": 61.2, "api-1": 23.0, "api-2": 18.7, "api-3": 17.9, "api-4": 16.2, "api-6": 15.5, "api-8": 12.1, "db": 31.4, "db-replica": 7.0,
    "gateway": 9.4, "ingest": 42.0, "reindex": 88.0, "search": 54.0, "recommend": 4.2, "thumbnails": 12.0, "checkout": 2.1,
}  # fmt: skip
_MEMORY_MIB = {
    "db": 3993, "db-replica": 2211, "api-5": 812, "search": 611, "recommend": 1131, "ingest": 340, "reindex": 402, "cache-1": 128,
    "gateway": 61,
}  # fmt: skip


class ShopWorld(FakeWorld):
    """The fake world with the shop in it. `now_s` is the clock that figures are of."""

    def __init__(self) -> None:
        super().__init__("/nonexistent")
        self.now_s = 0.0
        self.units = {one["id"]: one for one in units()}
        self._relations = _relations()
        self.runs = _runs()
        for event in _events():
            self.ring.publish(event)

    def relations(self, unit: str) -> Json:
        return self._relations.get(unit, {})

    def why(self, unit: str) -> Json:
        known = self.units[unit]
        because, coming = _WHY.get(unit, ([], None))
        told = [{"what": what, "unit": about, "time_s": NOW_S - ago_s, "text": text} for what, about, ago_s, text in because]
        return {"unit": unit, "active_state": known["active_state"], "sub_state": known["sub_state"], "because": told, "next": coming}

    def figures(self, unit: str) -> Json:
        known = self.units[unit]
        if not known["main_pid"]:
            return {"memory_current_bytes": None, "cpu_usage_nsec": None, "log_bytes": 0, "log_lost_bytes": 0}
        base = _CPU_PERCENT.get(unit, 0.7 + len(unit) % 3)
        # The integral of base * (1 + sin) / 100 over time, so that shares swing and time never goes back.
        used_s = base / 100 * (self.now_s - 4 * math.cos(self.now_s / 4 + len(unit) * 1.3))
        memory = _MEMORY_MIB.get(unit, 90 + 7 * len(unit)) * (1 + 0.02 * math.sin(self.now_s / 9))
        return {"memory_current_bytes": int(memory * MIB), "cpu_usage_nsec": int(used_s * 1e9), "log_bytes": 0, "log_lost_bytes": 0}

    def definition(self, unit: str) -> Json:
        path = f"/srv/shop/units/{unit.partition('@')[0]}.toml"
        origins = {"service.exec_start": f"{path}:8", "service.restart": f"{path}:9", "service.restart_sec": "default"}
        return {"unit": unit, "files": [{"path": path, "text": _DEFINITION.format(unit=unit)}], "origins": origins}


_DEFINITION = """[unit]
description = "API shard 7"
requires = ["db", "cache-1", "cache-2"]
after = ["db", "cache-1", "cache-2"]
on_failure = ["alert@{unit}"]

[service]
exec_start = "/srv/shop/bin/api --shard 7"
restart = "on-failure"
memory_max = "1G"
watchdog_sec = 10
"""

_WHY: dict[str, Any] = {
    "api-7": (
        [
            ("start-limit", "api-7", 131, "the start limit was hit: 12 starts within 1min"),
            (
                "exit",
                "api-7",
                131,
                "it failed: oom-kill: exec_start (api) was killed by KILL, the cgroup ran out of memory (memory_max 1G)",
            ),
            ("dependency", "api-7", 150, "cache-2, which it requires, was restarting"),
        ],
        None,
    ),
    "cache-2": (
        [
            ("restart", "cache-2", 2, "restart in 8 s: restart = on-failure applies to result exit-code"),
            ("exit", "cache-2", 2, "it failed: exit-code: exec_start (redis-server) left with status 1"),
        ],
        {"what": "it is restarted", "time_s": NOW_S + 8},
    ),
}


def _runs() -> list[Json]:
    def one(number: int, unit: str, ago_s: float, ran_s: float | None, result: str | None = "success", **more: Any) -> Json:
        began_s = NOW_S - ago_s
        plain = {"exec_main_code": None if ran_s is None else "exited", "exec_main_status": None if ran_s is None else 0}
        ended = {"started_time_s": began_s, "ended_time_s": None if ran_s is None else began_s + ran_s, "result": result}
        run_id = f"{number * 0x9E3779B97F4A7C15 % (1 << 128):032x}"[::-1]
        return run(unit, number, **{"run_id": run_id, **plain, **ended, "trigger": "boot", "by": "", **more})

    oom = {"exec_main_code": "killed", "exec_main_status": 9, "memory_peak_bytes": 1024 * MIB, "cpu_usage_nsec": 2_100_000_000}
    return sorted(
        [
            one(1, "db", 12 * DAY_S, None, None, cpu_usage_nsec=int(31e13), memory_peak_bytes=4100 * MIB),
            one(2, "api-1", 12 * DAY_S, None, None, cpu_usage_nsec=int(2e14), memory_peak_bytes=310 * MIB),
            one(3, "mail-relay", 14 * DAY_S, 8 * DAY_S, trigger="request", by="uid 1000 (ann) pid 4711"),
            one(4, "backup", 21 * HOUR_S + 252, 252.0, trigger="timer", cpu_usage_nsec=int(61e9), memory_peak_bytes=212 * MIB),
            *[one(20 + n, "sync-stock", 22.5 + 60 * n, 2.5 if n % 4 else 2.1, "success" if n % 4 else "exit-code", trigger="timer",
                  **({} if n % 4 else {"exec_main_status": 1})) for n in range(1, 12)],
            *[one(40 + n, "api-7", 131 + 4.1 * n, 3.9, "oom-kill", trigger="restart", attempt=13 - n, **oom) for n in range(1, 13)],
            *[one(60 + n, "cache-2", 41 + 9 * n, 0.2, "exit-code", trigger="restart", attempt=5 - n, exec_main_status=1)
              for n in range(1, 5)],
            one(80, "invoice-run", 51 * 60, 60.0, "exit-code", trigger="timer", attempt=3, exec_main_status=3),
            one(81, "migrate", 64 * 60 + 7.2, 7.2, trigger="request", by="uid 1001 (deploy) pid 40001"),
            one(82, "recommend", 40 * 60, None, None, trigger="rollback"),
            one(83, "checkout", 90, None, None, trigger="request", by="uid 1001 (deploy) pid 41370"),
            one(84, "reindex", 312, None, None, trigger="request", by="uid 1000 (ann) pid 41190"),
        ],
        key=lambda made: float(made["started_time_s"]),
    )  # fmt: skip


def _events() -> list[Json]:
    told = [
        (3840, "migrate", "job", "start job 871 is over: done"),
        (2460, "recommend", "definition", "recommend.toml changed: service.exec_start"),
        (2440, "recommend", "rollback", "it came not up within 20 s: back to the definition of before"),
        (3000, "invoice-run", "failed", "exec_start (invoice) left with status 3 (NOTIMPLEMENTED), after 3 attempts"),
        (900, "pricing", "unit-files", 'pricing.toml:12: service.restart: expected one of no, always, on-failure ..., got "allways"'),
        (312, "reindex", "intent", "start, wanted by uid 1000 (ann)"),
        (180, "api-7", "failed", "oom-kill: exec_start (api) was killed by KILL"),
        (176, "api-7", "restart", "restart in 100 ms: restart = on-failure applies to result oom-kill"),
        (131, "api-7", "start-limit", "the start limit was hit: 12 starts within 1min"),
        (90, "checkout", "intent", "restart, wanted by uid 1001 (deploy)"),
        (89, "checkout", "state", "active (running)"),
        (50, "cache-2", "failed", "exit-code: exec_start (redis-server) left with status 1"),
        (41, "cache-2", "restart", "restart in 8 s: restart = on-failure applies to result exit-code"),
        (30, "api-5", "probe", "the health probe fails: http://127.0.0.1:8105/healthz answered 503 (3 of 3)"),
        (12, "newsletter", "job", "start job 912 waits for cache-2"),
        (4, "search", "state", "activating (start)"),
        (1, "worker@4", "reload", "it reads its configuration again"),
    ]  # fmt: skip
    return [{"time_s": NOW_S - ago_s, "unit": unit, "kind": kind, "text": text} for ago_s, unit, kind, text in sorted(told, reverse=True)]


class ShopTransport(MemoryTransport):
    """Figures are of the virtual clock, so that they are the same in every picture."""

    async def figures(self, names: Any = None) -> Json:
        told = await super().figures(names)
        world = self.world
        assert isinstance(world, ShopWorld)
        return {**told, "monotonic_s": world.now_s}


def write_logs(directory: str) -> dict[str, str]:
    """Logs of some units below `directory`; where they are."""
    texts: dict[str, list[tuple[float, str]]] = {
        "api-1": [(40 - n, f"INFO handled path=/v1/items/{300 + 7 * n} status=200 dur={9 + n % 5}ms id=9f1c{n:02x}") for n in range(38)],
        "api-7": [
            (150.2, "INFO api 4.11.2 starts, shard 7 of 8"),
            (149.9, "INFO loading the catalogue: 412,000 articles"),
            (149.1, "WARN cache-2: connection refused 10.0.0.7:6379, attempt 1, next retry in 1s"),
            (148.0, "WARN cache-2: connection refused 10.0.0.7:6379, attempt 2, next retry in 2s"),
            (146.1, "ERROR timeout waiting for cache-2 after 3000ms, falling back to the whole catalogue in memory"),
            (146.0, "Traceback (most recent call last):"),
            (146.0, '  File "/srv/shop/api/catalogue.py", line 214, in warm'),
            (146.0, "    blob = cache.get(key, timeout=3.0)"),
            (146.0, "shop.cache.Timeout: cache-2 did not answer"),
            (140.4, "INFO worker started pid=40988"),
            (135.0, "WARN memory is at 92 % of 1G"),
            (132.0, "ERROR memory is at 99 % of 1G"),
        ],
        "cache-2": [
            (43.0, "1:C oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo"),
            (42.6, "1:M # Warning: memory overcommit must be enabled"),
            (42.1, "1:M # Fatal error loading the DB, check server logs. Exiting."),
        ],
        "checkout": [
            (88.0, "\x1b[32mINFO\x1b[0m listening on 127.0.0.1:8461"),
            *[(80.0 - 6 * n, f'{{"level":"info","msg":"order placed","order":{88120 + n},"total":"{19 + 3 * n}.90"}}') for n in range(12)],
            (7.0, '{"level":"error","msg":"payment provider answered 502","order":88131,"attempt":1}'),
        ],
        "db": [(n * 5.0, f"LOG: checkpoint complete: wrote {81 + n} buffers") for n in range(9, 0, -1)],
    }  # fmt: skip
    places: dict[str, str] = {}
    for unit, lines in texts.items():
        log = UnitLog(f"{directory}/{unit}")
        for ago_s, text in lines:
            log.say(text, time_us=int((NOW_S - ago_s) * 1e6))
        places[unit] = log.directory
    return places


def shop_app(log_directory: str = "", **options: Any) -> SupdApp:
    """The app over the shop, whose host is called web-01."""
    transport = ShopTransport(ShopWorld(), "web-01")
    if log_directory:
        transport.log_directories = write_logs(log_directory)
    return app_over(transport, **options)
