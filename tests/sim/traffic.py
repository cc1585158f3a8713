"""What happens to a world from outside: traffic mixes, each with its own weights, and the end every world comes to.

A world is wholly determined by its seed: the mix, the units, the processes, the moments.
"""

from dataclasses import dataclass
from random import Random

from supervisor.model import effects as do
from supervisor.model import events as ev
from supervisor.model.states import JobMode, JobType, Wanted
from tests.sim import generate
from tests.sim.play import RandomWorld
from tests.sim.told import Told
from tests.spec.build import MINUTE, MS, SECOND

STEPS_US = (0, 0, 1 * MS, 100 * MS, SECOND, 3 * SECOND, 12 * SECOND)
EVERYTHING = (
    "request",
    "wait",
    "load",
    "signal",
    "datagram",
    "repeat",
    "stale",
    "cancel",
    "kill",
    "reset",
    "conditions",
    "probes",
    "intent",
)
EVENTS_SHOWN = 40
TOLD_EVERY = 5  # worlds of each mix: to compare every look around every event takes time
AT_REST = ("dead", "failed", "running", "active", "start")
TEDIOUS = (do.Record, do.StartProbe, ev.ProbeReported)  # not shown when a world fails


@dataclass(frozen=True, slots=True)
class Mix:
    """How a kind of world is weighted. Chances are 0..1; `steps` is how often something happens from outside."""

    name: str
    steps: int
    actions: tuple[tuple[str, int], ...]
    badness: float
    crash_chance: float = 0.0
    is_late: bool = False
    boots: bool = True


MIXES = (
    Mix("boot storm", 6, (("wait", 3), ("repeat", 1), ("conditions", 1)), badness=0.3, crash_chance=0.01),
    Mix(
        "manual requests",
        40,
        (("request", 8), ("wait", 6), ("cancel", 1), ("kill", 2), ("reset", 2), ("intent", 2), ("repeat", 2)),
        badness=0.4,
    ),
    Mix("crash loops", 15, (("wait", 4), ("signal", 4), ("reset", 1), ("request", 1), ("repeat", 1)), badness=0.9, crash_chance=0.005),
    Mix("new definitions in mid-start", 20, (("load", 4), ("request", 4), ("wait", 4), ("signal", 1)), badness=0.4, crash_chance=0.005),
    Mix("notify storm", 30, (("datagram", 8), ("request", 2), ("wait", 3), ("stale", 1)), badness=0.5, crash_chance=0.01),
    Mix(
        "late and repeated messages",
        40,
        (("repeat", 8), ("stale", 4), ("request", 4), ("wait", 6), ("signal", 1)),
        badness=0.5,
        is_late=True,
    ),
    Mix("a manager that dies often", 15, (("request", 4), ("wait", 4), ("datagram", 1)), badness=0.5, crash_chance=0.08, is_late=True),
    Mix("everything at once", 40, tuple((name, 1) for name in EVERYTHING), badness=0.6, crash_chance=0.01, is_late=True),
    Mix("shutdown in the middle", 8, (("request", 4), ("wait", 2), ("signal", 1)), badness=0.6, crash_chance=0.01),
    Mix(
        "hard to stop",
        30,
        (("request", 6), ("wait", 4), ("kill", 2), ("intent", 2), ("reset", 2), ("stale", 2), ("repeat", 3)),
        badness=1.0,
    ),
)


def play(seed: int) -> RandomWorld:
    """Play the world of this seed to its end. An error carries the seed, the mix and the last events."""
    random = Random(seed)
    mix = MIXES[seed % len(MIXES)]
    world = RandomWorld(random, generate.units(random), badness=mix.badness, crash_chance=mix.crash_chance, is_late=mix.is_late)
    if seed // len(MIXES) % TOLD_EVERY == 0:
        world.observers.append(Told(world))
    try:
        _traffic(world, mix)
        _end(world, mix)
    except Exception as error:
        units = "\n".join(f"  {generate.as_text(unit)}" for unit in world.units.values())
        told = [(when, thing) for when, thing in world.history if not isinstance(thing, TEDIOUS)]
        last = "\n".join(f"  {when}: {thing}" for when, thing in told[-EVENTS_SHOWN:])
        error.add_note(f"world --sim-seed={seed} ({mix.name}), its units:\n{units}\nits last events:\n{last}")
        raise
    return world


def _traffic(world: RandomWorld, mix: Mix) -> None:
    random = world.random
    names = [name for name, _ in mix.actions]
    weights = [weight for _, weight in mix.actions]
    if mix.boots:
        world.boot()
    for _ in range(mix.steps):
        if world.has_left:
            return
        act(world, random, random.choices(names, weights)[0])
        world.checks.last_traffic_us = world.now_us


def _somebody(world: RandomWorld, random: Random) -> str:
    """A unit, by preference one that is on its way somewhere: rare states want visitors."""
    names = sorted(world.units)
    moving = [name for name in names if world.sub(name) not in AT_REST]
    chosen = moving if moving and random.random() < 0.7 else names
    return random.choice(chosen) if chosen else "nobody"


def act(world: RandomWorld, random: Random, action: str) -> None:
    """One thing that somebody does to the world."""
    name = _somebody(world, random)
    match action:
        case "wait":
            world.advance(random.choice(STEPS_US))
        case "request":
            mode = random.choice((JobMode.REPLACE,) * 6 + (JobMode.FAIL, JobMode.ISOLATE, JobMode.IGNORE_REQUIREMENTS, JobMode.FLUSH))
            type_ = JobType.START if mode is JobMode.ISOLATE else random.choice(tuple(JobType))
            world.ask(type_, name, mode)
        case "signal":
            if world.machine.living:
                world.strike(random.choice(sorted(world.machine.living)), random.choice(generate.SIGNALS))
        case "load":
            world.load(*generate.mutated(random, world.units))
        case "datagram":
            pids = [process.pid for process in world.machine.of_unit(name)] or [999]
            world.send(name, random.choice(pids), generate.datagram(random))
        case "repeat":
            world.repeat_the_past()
        case "stale":
            world.hear(random.choice(generate.stale_events(name)))
        case "cancel":
            jobs = world.engine.list_jobs()
            world.ask_to_cancel(random.choice(jobs)["id"] if jobs else 4711)
        case "kill":
            world.ask_to_kill(name, random.choice(generate.SIGNALS), random.choice(("main", "control", "all")))
        case "reset":
            world.reset_failed(name)
        case "conditions":
            world.conditions[name] = random.random() < 0.7
            world.asserts[name] = random.random() < 0.7
        case "probes":
            world.probe_answers[name, 0] = [random.random() < 0.5 for _ in range(5)]
        case "intent":
            world.step(ev.IntentLoaded(name, random.choice((Wanted.UP, Wanted.DOWN)), "remembered", "somebody", 1))
            world.settle()


def _end(world: RandomWorld, mix: Mix) -> None:
    """Traffic stops: what is under way must come to its end; then supd leaves and nothing may be left."""
    if mix.name != "shutdown in the middle":
        world.calm_down()
        world.advance(13 * MINUTE)
        _check_rest(world)
    world.calm_down()
    if not world.has_left:
        world.shutdown()
        world.advance(13 * MINUTE)
    states = {name: world.sub(name) for name in world.checks.known}
    assert world.has_left, f"supd does not leave: {world.engine.list_jobs()}, {states}"
    if world.left is not None and not world.left.is_forced:
        left = [
            p
            for p in world.machine.living.values()
            if p.unit not in world.checks.lenient and p.unit in world.checks.known and not p.script.is_unkillable
        ]
        assert not left, f"supd has left and processes have not: {left}"
    moment = world.engine.next_deadline()
    assert moment is None, f"supd has left and still waits for {moment}"


def _check_rest(world: RandomWorld) -> None:
    """What must hold once nobody has touched the world for long."""
    for name, unit in world.checks.in_force.items():
        shown = world.engine.show(name)
        if shown["job"] is not None:
            continue
        if shown["active_state"] == "active" and shown["sub_state"] == "running" and shown["main_pid"]:
            main = world.machine.living.get(shown["main_pid"])
            assert main is not None and main.unit == name, f"{name} is running and its main process {shown['main_pid']} is not there"
        for other in unit.dependencies.binds_to:
            if (name, other) in world.checks.unheld:
                continue
            if other in world.checks.in_force and other in unit.dependencies.after and shown["active_state"] == "active":
                bound_to = world.engine.show(other)
                assert bound_to["active_state"] not in ("inactive", "failed"), f"{name} is active, bound to {other}, which is down"
