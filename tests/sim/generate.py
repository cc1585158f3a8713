"""Random unit sets and random processes: everything a world is made of, drawn from one generator of random numbers.

Laws: the same generator gives the same world; every time-out is finite except a oneshot's start, and every oneshot ends, so that in a
calm world every job must end.
"""

from dataclasses import fields, is_dataclass, replace
from random import Random
from typing import Any

from supervisor.model import events as ev
from supervisor.model.specification import Condition, Probe, Service, Unit
from supervisor.model.states import ExitCode, JobType, Phase, Wanted
from tests.spec.behaviour import Process
from tests.spec.build import MS, SECOND, statuses, target, unit

TYPES = ("exec", "simple", "notify", "notify-reload", "forking", "oneshot", "idle")
POLICIES = ("no", "always", "on-success", "on-failure", "on-abnormal", "on-abort", "on-watchdog")
KINDS = ("wants", "requires", "requisite", "binds_to", "part_of", "upholds", "propagates_stop_to", "propagates_reload_to")
SIGNALS = (1, 2, 6, 9, 11, 15)


def units(random: Random) -> list[Unit]:
    """A set of two to seven units with a random graph over them."""
    names = [f"u{i}" for i in range(random.randint(2, 7))]
    return limited([one_unit(random, name, names) for name in names])


def limited(units: list[Unit]) -> list[Unit]:
    """No limit at all is for units that nothing starts again and again: those that others uphold or trigger get theirs."""
    called = {name for unit in units for name in unit.dependencies.upholds + unit.dependencies.on_failure + unit.dependencies.on_success}
    return [replace(unit, start_limit_interval_us=10 * SECOND) if unit.id in called else unit for unit in units]


# A program takes some time, however short: else units that start each other would do so for ever within one instant.
MOMENT_US = 1 * MS


def one_unit(random: Random, name: str, names: list[str]) -> Unit:
    """One unit; edges go to earlier names, but now and then anywhere, so that cycles and contradictions occur."""
    keys = _edges(random, name, names)
    keys["is_enabled"] = random.random() < 0.8
    keys["recover_dependents"] = random.random() < 0.5
    keys["stop_when_unneeded"] = random.random() < 0.05
    if random.random() < 0.1:
        keys["conditions"] = (Condition("path_exists", "/x"),)
    if random.random() < 0.05:
        keys["asserts"] = (Condition("path_exists", "/y"),)
    if random.random() < 0.1:
        return target(name, allow_isolate=True, **keys)
    keys["start_limit_burst"] = random.choice((1, 2, 5, 5))
    service = _service(random)
    # No limit at all is for units that nothing starts again and again.
    is_quiet = not {"upholds", "on_failure", "on_success"} & set(keys) and random.random() < 0.3
    is_quiet = is_quiet and service["restart"] == "no" and "restart_force_exit_status" not in service
    keys["start_limit_interval_us"] = 0 if is_quiet else 10 * SECOND
    # Two units that start each other do so for ever where the limit only delays.
    is_trigger = bool({"on_failure", "on_success"} & set(keys))
    keys["start_limit_policy"] = "give-up" if is_trigger else random.choice(("give-up", "give-up", "delay"))
    keys["ignore_on_isolate"] = random.random() < 0.1
    if random.random() < 0.02:
        keys["failure_action"] = "exit"
    return unit(name, **keys, **service)


def _edges(random: Random, name: str, names: list[str]) -> dict[str, Any]:
    edges: dict[str, list[str]] = {}
    own = names.index(name)
    for index, other in enumerate(names):
        if index == own or random.random() < 0.5 or (index > own and random.random() < 0.95):
            continue
        if random.random() < 0.8:
            edges.setdefault(random.choice(KINDS), []).append(other)
        if random.random() < 0.6:
            edges.setdefault("after" if index < own or random.random() < 0.5 else "before", []).append(other)
        if random.random() < 0.05:
            edges.setdefault("conflicts", []).append(other)
        if random.random() < 0.05:
            edges.setdefault(random.choice(("on_failure", "on_success")), []).append(other)
    return dict(edges)


def _service(random: Random) -> dict[str, Any]:
    type_ = random.choice(TYPES)
    is_oneshot = type_ == "oneshot"
    keys: dict[str, Any] = {
        "type": type_,
        "restart": random.choice([p for p in POLICIES if not is_oneshot or p not in ("always", "on-success")]),
        "restart_us": random.choice((0, 100 * MS, SECOND, 5 * SECOND)),
        "restart_mode": random.choice(("normal", "normal", "direct")),
        "timeout_start_us": None if is_oneshot and random.random() < 0.5 else random.choice((SECOND, 10 * SECOND)),
        "timeout_stop_us": random.choice((SECOND, 5 * SECOND)),
        "timeout_abort_us": random.choice((SECOND, 5 * SECOND)),
        "timeout_start_failure_mode": random.choice(("terminate", "terminate", "abort", "kill")),
        "timeout_stop_failure_mode": random.choice(("terminate", "terminate", "abort", "kill")),
        "kill_mode": random.choice(("control-group",) * 6 + ("mixed", "mixed", "process", "none")),
        "send_sigkill": random.random() < 0.97,
        "remain_after_exit": random.random() < 0.15,
        "exit_type": "cgroup" if random.random() < 0.08 and type_ not in ("forking", "oneshot") else "main",
    }
    for line in ("exec_condition", "exec_start_pre", "exec_start_post", "exec_reload", "exec_stop", "exec_stop_post"):
        if random.random() < 0.3:
            keys[line] = [random.choice(("", "-")) + "x" for _ in range(random.choice((1, 1, 2)))]
    if is_oneshot and random.random() < 0.3:
        keys["exec_start"] = ["one", "two"]
    if random.random() < 0.2:
        keys |= {
            "restart_steps": random.randint(1, 4),
            "restart_max_delay_us": 20 * SECOND,
            "restart_reset_us": random.choice((None, 5 * SECOND)),
        }
    if random.random() < 0.2:
        keys["restart_jitter"] = 0.5
    if random.random() < 0.1 and not is_oneshot:
        keys["watchdog_us"] = 30 * SECOND
    if random.random() < 0.05:
        keys["runtime_max_us"] = 40 * SECOND
    if random.random() < 0.2:
        name = random.choice(("success_exit_status", "restart_prevent_exit_status", "restart_force_exit_status"))
        keys[name] = statuses(random.choice((0, 1, 3)), signals=[random.choice(SIGNALS)])
    if random.random() < 0.2 and not is_oneshot:
        keys["probes"] = [_probe(random) for _ in range(random.randint(1, 2))]
    if type_ == "forking" and random.random() < 0.5:
        keys["pid_file"] = "/run/x.pid"
    if random.random() < 0.3:
        keys["notify_access"] = random.choice(("main", "exec", "all"))
    return keys


def _probe(random: Random) -> Probe:
    return Probe(
        stage=random.choice(("startup", "ready", "health")),
        kind="tcp",
        target="127.0.0.1:1",
        interval_us=random.choice((SECOND, 20 * SECOND)),
        initial_delay_us=random.choice((0, 500 * MS)),
        success_threshold=random.choice((1, 2)),
        failure_threshold=random.choice((1, 3)),
    )


def script(random: Random, of: Service, phase: Phase, badness: float) -> Process:
    """One process of this phase; `badness` is the chance that it misbehaves at all."""
    if random.random() >= badness:
        return good_script(of, phase)
    keys: dict[str, Any] = {"dies_in_us": random.choice((0, 0, 300 * MS, 3 * SECOND))}
    draw = random.random()
    if draw < 0.06:
        return Process(prepare_fails=("user", 217))
    if draw < 0.14:
        return Process(
            spawn_fails=random.choice((("exec", 2, 203), ("fork", 11, 0), ("chdir", 2, 200))), exec_takes_us=random.choice((0, SECOND))
        )
    if draw < 0.6 or (phase is Phase.START and of.type == "oneshot"):
        keys["lives_us"] = random.choice((MOMENT_US, MOMENT_US, 100 * MS, 2 * SECOND, 8 * SECOND))
        if random.random() < 0.6:
            keys["status"] = random.choice((0, 1, 3, 254, 255))
        else:
            keys["code"] = random.choice((ExitCode.KILLED, ExitCode.DUMPED))
            keys["status"] = random.choice(SIGNALS)
    if random.random() < 0.2:
        keys["survives"] = frozenset(range(1, 65)) - {9, 19}
    if random.random() < 0.2:
        keys["handles"] = {15: random.choice((0, 1))}
    if random.random() < 0.15:
        keys["leaves"] = tuple(Process(survives=frozenset({15} if random.random() < 0.5 else ())) for _ in range(random.randint(1, 2)))
    if random.random() < 0.1:
        keys["prepare_takes_us"] = random.choice((300 * MS, 3 * SECOND, 30 * SECOND))
    if random.random() < 0.1:
        keys["exec_takes_us"] = random.choice((300 * MS, 3 * SECOND, 30 * SECOND))
    if random.random() < 0.5:
        keys["says"] = tuple(
            sorted(((random.choice((0, 200 * MS, 4 * SECOND)), datagram(random)) for _ in range(3)), key=lambda said: said[0])
        )
    if random.random() < 0.05:
        keys["oom_killed"] = True
    if random.random() < 0.01:
        keys |= {"is_unkillable": True, "leaves": ()}
    return Process(**keys)


def good_script(of: Service, phase: Phase) -> Process:
    """What a well-behaved program of this service does."""
    if phase is not Phase.START or of.type == "oneshot":
        return Process(lives_us=MOMENT_US)
    says: tuple[tuple[int, dict[str, str]], ...] = ()
    if of.type in ("notify", "notify-reload"):
        says = ((0, {"READY": "1"}),)
    if of.watchdog_us:
        says += tuple((when * SECOND, {"WATCHDOG": "1"}) for when in range(0, 3600, 20))
    answer = ({"RELOADING": "1", "MONOTONIC_USEC": "NOW"}, {"READY": "1"}) if of.type == "notify-reload" else ()
    process = Process(says=says, says_on_signal={of.reload_signal: answer} if answer else {})
    return Process(lives_us=0, leaves=(process,)) if of.type == "forking" else process


def datagram(random: Random) -> dict[str, str]:
    """What a program may tell its notify socket, sense and nonsense."""
    return random.choice(
        (
            {"READY": "1"},
            {"READY": "1", "STATUS": "up"},
            {"RELOADING": "1", "MONOTONIC_USEC": "NOW"},
            {"STOPPING": "1"},
            {"WATCHDOG": "1"},
            {"WATCHDOG": "trigger"},
            {"WATCHDOG_USEC": "5000000"},
            {"EXTEND_TIMEOUT_USEC": "2000000"},
            {"MAINPID": "1003"},
            {"MAINPID": "x"},
            {"STATUS": "busy"},
            {"ERRNO": "5"},
            {"NOTIFYACCESS": "all"},
            {"NONSENSE": "1"},
        )
    )


def stale_events(name: str) -> tuple[ev.Event, ...]:
    """Reports about what is no more: a token, a run or a process that nobody waits for."""
    return (
        ev.Prepared(name, 999_999),
        ev.PrepareFailed(name, 999_999, "user", 217, "cannot find the user"),
        ev.Forked(name, 999_999, 99),
        ev.Execed(name, 999_999),
        ev.SpawnFailed(name, 999_999, "exec", 2, 203),
        ev.Exited(name, 999_999, ExitCode.EXITED, 1),
        ev.AlienExited(name, 99, ExitCode.EXITED, 1),
        ev.PidFileRead(name, 999_999, 99),
        ev.Emptied(name, 999_999),
        ev.ProbeReported(name, 999_999, 0, ok=False),
        ev.ConditionsChecked(name, 999_999, conditions_hold=False),
        ev.Notified(name, 99, {"READY": "1"}),
    )


def wish(random: Random, name: str, request: int) -> ev.Event:
    """Something that a person may ask of a unit at any moment."""
    return random.choice(
        (
            ev.JobRequested(request, random.choice(tuple(JobType)), name, by="a passer-by"),
            ev.FailureReset(request, name),
            ev.KillRequested(request, name, random.choice(SIGNALS), random.choice(("main", "control", "all")), by="a passer-by"),
            ev.IntentLoaded(name, random.choice((Wanted.UP, Wanted.DOWN)), "remembered", "a passer-by", 1),
        )
    )


def as_text(value: Any) -> str:
    """A definition as it would be written: only what differs from the defaults."""
    if not is_dataclass(value) or isinstance(value, type):
        return repr(value)
    said = [(f.name, getattr(value, f.name)) for f in fields(value) if getattr(value, f.name) not in (f.default, None)]
    return f"{type(value).__name__}({', '.join(f'{name}={as_text(thing)}' for name, thing in said)})"


def mutated(random: Random, given: dict[str, Unit]) -> list[Unit]:
    """The set after an edit: one unit changed, gone or new."""
    names = sorted(given)
    draw = random.random()
    if draw < 0.2 and len(names) > 1:
        names.remove(random.choice(names))
        return [given[name] for name in names]
    if draw < 0.4:
        name = f"n{random.randint(0, 9)}"
        return (
            [*given.values(), one_unit(random, name, [*[n for n in names if n != name], name])]
            if name not in given
            else list(given.values())
        )
    chosen = random.choice(names)
    fresh = one_unit(random, chosen, names)
    if random.random() < 0.5 and fresh.kind == given[chosen].kind:
        fresh = replace(fresh, dependencies=given[chosen].dependencies, start_limit_policy=given[chosen].start_limit_policy)
    return limited([fresh if name == chosen else given[name] for name in names])
