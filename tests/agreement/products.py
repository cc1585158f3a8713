"""Scenarios that nobody writes by hand: products of how a service ends and what is said of it, and of how two units depend on each other.

Every row is a scenario as any other (`scenario.Scenario`) and is played in the same way; what systemd 252 answered is in `products.json`,
one line a row. `sample` is the part that every run of the tests plays.
"""

from itertools import product

from tests.agreement.scenario import Json, Scenario

RESTARTS = ("no", "always", "on-success", "on-failure", "on-abnormal", "on-abort", "on-watchdog")
CODES = (0, 1, 3, 143, 255)
SIGNALS = (
    "HUP",
    "INT",
    "QUIT",
    "ILL",
    "TRAP",
    "ABRT",
    "BUS",
    "FPE",
    "KILL",
    "USR1",
    "SEGV",
    "PIPE",
    "ALRM",
    "TERM",
    "XCPU",
    "VTALRM",
    "PWR",
    "USR2",
    "16",
    "XFSZ",
    "PROF",
    "SYS",
    "29",
    "34",
    "64",
)
LISTS: tuple[Json, ...] = (
    {"success_exit_status": ["3", "SIGKILL"]},
    {"success_exit_status": ["TEMPFAIL", "250"]},
    {"restart_prevent_exit_status": ["0"]},
    {"restart_prevent_exit_status": ["3", "SIGKILL"]},
    {"restart_force_exit_status": ["0"]},
    {"restart_force_exit_status": ["3", "SIGTERM"]},
    {"success_exit_status": ["3"], "restart_force_exit_status": ["3"]},
    {"success_exit_status": ["3"], "restart_prevent_exit_status": ["3"]},
    {"restart_force_exit_status": ["3", "SIGKILL"], "restart_prevent_exit_status": ["3", "SIGKILL"]},
)
SAMPLE_STRIDE = 13

KINDS = ("wants", "requires", "requisite", "binds_to", "part_of", "upholds", "conflicts", "propagates_stop_to", "propagates_reload_to")
ORDERS = ("none", "after", "before")
EVENTS: dict[str, list[str]] = {
    "start-a": ["start a"],
    "start-b": ["start b"],
    "start-b-start-a": ["start b", "start a"],
    "stop-a": ["start b", "start a", "stop a"],
    "stop-b": ["start b", "start a", "stop b"],
    "restart-a": ["start b", "start a", "restart a"],
    "restart-b": ["start b", "start a", "restart b"],
    "try-restart-b": ["start b", "start a", "try-restart b"],
    "reload-a": ["start b", "start a", "reload a"],
    "reload-b": ["start b", "start a", "reload b"],
    "a-killed": ["start b", "start a", "kill a KILL", "pass 1"],
    "b-killed": ["start b", "start a", "kill b KILL", "pass 1"],
    "a-ends": ["start b", "start a", "kill a TERM", "pass 1"],
    "b-ends": ["start b", "start a", "kill b TERM", "pass 1"],
    "b-fails-to-start": ["start a", "pass 4"],
    "b-failed-before": ["start b", "start a", "pass 4"],
    "b-skipped": ["start a"],
    "b-missing": ["start a"],
}


# The same for services that speak as they start, without a command before that: those of type simple are up at once.
PLAIN_KINDS = (*KINDS[:-1], "stop_propagated_from", "reload_propagated_from")
REVERSED = {"stop_propagated_from": "propagates_stop_to", "reload_propagated_from": "propagates_reload_to"}
PLAIN_EVENTS: dict[str, list[str]] = {
    "start-a": ["start a"],
    "start-b": ["start b"],
    "start-b-start-a": ["start b", "start a"],
    "stop-a": ["start a", "stop a"],
    "stop-b": ["start a", "stop b"],
    "restart-a": ["start a", "restart a"],
    "restart-b": ["start a", "restart b"],
    "try-restart-b": ["start a", "try-restart b"],
    "reload-b": ["start a", "reload b"],
    "a-killed": ["start a", "kill a KILL", "pass 1"],
    "b-killed": ["start a", "kill b KILL", "pass 1"],
    "b-ends": ["start a", "pass 4"],
    "b-fails-to-start": ["start a", "pass 4"],
    "b-failed-before": ["start b", "start a", "pass 4"],
    "b-skipped": ["start a"],
    "b-missing": ["start a"],
    "b-masked": ["start a"],
}


def every_product() -> list[Scenario]:
    """All rows, by name."""
    return sorted([*_ends(), *_dependencies(), *_plain_dependencies()], key=lambda each: each.name)


def sample() -> list[Scenario]:
    """Every so manieth row, and the first one of each factor that has none among these."""
    every = every_product()
    chosen = every[::SAMPLE_STRIDE]
    met = {word for row in chosen for word in factors(row)}
    for row in every:
        if not met.issuperset(factors(row)):
            chosen.append(row)
            met |= factors(row)
    return chosen


def factors(row: Scenario) -> set[str]:
    """The parts that a row's name is made of."""
    return set(row.name.partition("/")[2].split("-"))


def _end(name: str, service: Json, steps: tuple[str, ...] = ("start a", "rest a"), **keys: Json) -> Scenario:
    unit = {"start_limit_interval_sec": 0, **keys.get("unit", {})}
    service = {"restart_sec": "1h", "timeout_stop_sec": "2s", "limit_core": 0, **service}
    return Scenario(f"ends/{name}", list(steps), {"a": {"unit": unit, "service": service}})


def _ends() -> list[Scenario]:
    """restart= x the way of dying x type x lists."""
    ways = {f"exit-{code}": f"exit {code}" for code in CODES} | {f"sig{name.lower()}": f"die {name}" for name in SIGNALS}
    found = [
        _end(f"simple-{way}-{restart}", {"restart": restart, "exec_start": f"@say main '{end}'"})
        for (way, end), restart in product(ways.items(), RESTARTS)
    ]
    few = {way: ways[way] for way in ("exit-0", "exit-3", "sigterm", "sigkill")}
    for (way, end), restart, (number, lists) in product(few.items(), RESTARTS, enumerate(LISTS)):
        found.append(_end(f"lists-{number}-{way}-{restart}", {"restart": restart, "exec_start": f"@say main '{end}'", **lists}))
    for (way, end), restart, remains in product(few.items(), RESTARTS, (False, True)):
        for type_ in ("exec", "oneshot", "idle"):
            if type_ == "oneshot" and restart in ("always", "on-success"):
                continue  # refused with the unit file
            # Type exec is up once its program runs, and what ends sooner than anybody looks is a matter of chance in systemd.
            late = "sleep 0.5; " if type_ == "exec" else ""
            service = {"type": type_, "restart": restart, "remain_after_exit": remains, "exec_start": f"@say main '{late}{end}'"}
            found.append(_end(f"{type_}-{'remains-' if remains else ''}{way}-{restart}", service))
    for restart in RESTARTS:
        found += _ends_otherwise(restart)
    return found


def _ends_otherwise(restart: str) -> list[Scenario]:
    """What ends a service besides its main process."""
    notify: Json = {"type": "notify", "restart": restart, "watchdog_sec": "500ms", "exec_start": "@talk main READY=1 block"}
    rows: dict[str, Json] = {
        "watchdog": notify,
        "start-timeout": {"type": "notify", "timeout_start_sec": "500ms", "exec_start": "@say main block"},
        "protocol": {"type": "notify", "exec_start": "/bin/true"},
        "missing-simple": {"exec_start": "/nonexistent/x"},
        "missing-exec": {"type": "exec", "exec_start": "/nonexistent/x"},
        "missing-user": {"type": "exec", "exec_start": "/bin/true", "user": "nobody-at-all"},
        "exec-condition-1": {"exec_start": "@say main block", "exec_condition": "@say condition 'exit 1'"},
        "exec-condition-255": {"exec_start": "@say main block", "exec_condition": "@say condition 'exit 255'"},
        "start-pre-1": {"exec_start": "@say main block", "exec_start_pre": "@say pre 'exit 1'"},
        "start-pre-sigterm": {"exec_start": "@say main block", "exec_start_pre": "@say pre 'die TERM'"},
        "start-post-1": {"exec_start": "@say main block", "exec_start_post": "@say post 'exit 1'"},
        "stop-post-1": {"exec_start": "@say main 'exit 0'", "exec_stop_post": "@say post 'exit 1'"},
        "stop-1": {"exec_start": "@say main 'exit 0'", "exec_stop": "@say stop 'exit 1'"},
        "runtime-max": {"exec_start": "@say main block", "runtime_max_sec": "500ms"},
        "forking-parent-0": {"type": "forking", "exec_start": "@say main '(sleep 0.3; exit 3) & exit 0'"},
        "forking-nothing": {"type": "forking", "exec_start": "@say main 'exit 0'"},
    }
    found = [_end(f"{name}-{restart}", {"restart": restart, **keys}) for name, keys in rows.items()]
    blocks: Json = {"restart": restart, "exec_start": "@say main block"}
    found.append(_end(f"killed-by-hand-{restart}", blocks, ("start a", "kill a TERM", "rest a")))
    skipped: Json = {"restart": restart, "exec_start": "@say main block"}
    found.append(_end(f"condition-{restart}", skipped, unit={"condition_path_exists": "/nonexistent"}))
    return found


def _dependencies() -> list[Scenario]:
    """Kind x order x event, for unit `a` that depends on unit `b`."""
    found = []
    for kind, order, (event, steps) in product(KINDS, ORDERS, EVENTS.items()):
        service: Json = {"exec_start_pre": "@say start", "exec_start": "/bin/sleep 1000", "exec_reload": "@say reload"}
        a: Json = {kind: ["b"], **({order: ["b"]} if order != "none" else {})}
        b: Json = {}
        units: dict[str, dict[str, Json]] = {"a": {"unit": a, "service": dict(service)}, "b": {"unit": b, "service": dict(service)}}
        if event in ("b-fails-to-start", "b-failed-before"):
            units["b"]["service"]["exec_start_pre"] = "@say start 'sleep 0.5; exit 1'"  # so that one without an order is up before
            b["start_limit_interval_sec"] = "1h"  # or what is upheld would be started again and again
        elif event == "b-skipped":
            b["condition_path_exists"] = "/nonexistent"
        elif event == "b-missing":
            del units["b"]
        found.append(Scenario(f"pairs/{kind.replace('_', '-')}-{order}-{event}", steps, units))
    return found


def _plain_dependencies() -> list[Scenario]:
    """Kind x order x event once more, also with the kinds that a unit cannot name of itself."""
    found = []
    for kind, order, (event, steps) in product(PLAIN_KINDS, ORDERS, PLAIN_EVENTS.items()):
        service: Json = {"exec_start": "@say main block", "exec_reload": "@say reload"}
        a: Json = {order: ["b"]} if order != "none" else {}
        # An hour, or what is upheld would be started again and again.
        b: Json = {"start_limit_interval_sec": "1h"}
        if kind in REVERSED:
            b[REVERSED[kind]] = ["a"]
        else:
            a[kind] = ["b"]
        units: dict[str, dict[str, Json]] = {"a": {"unit": a, "service": dict(service)}, "b": {"unit": b, "service": dict(service)}}
        if event in ("b-fails-to-start", "b-failed-before"):
            units["b"]["service"]["exec_start_pre"] = "@say start 'sleep 0.5; exit 1'"
        elif event == "b-ends":
            units["b"]["service"]["exec_start"] = "@say main 'sleep 0.5; exit 0'"
        elif event == "b-skipped":
            b["condition_path_exists"] = "/nonexistent"
        elif event == "b-missing":
            del units["b"]
        name = f"plain/{kind.replace('_', '-')}-{order}-{event}"
        found.append(Scenario(name, steps, units, masked=["b"] if event == "b-masked" else []))
    return found
