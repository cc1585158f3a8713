"""The life-cycle table, written out: in every sub state, whatever may happen there, and all that follows from it.

A row is `state, what happens: what follows`, in order: sub states as they are entered (with the result, where it is bad), `run` and
`kill` as they are ordered, decisions as they are noted, ends of jobs. `+` marks time that passed: where nothing follows at once, it is
what follows when the time has come, and `as nothing` where that is what would have followed anyway. Two characters live through each
row: `plain`, a service with nothing but what brings it into the state, and `full`, one with commands for its stop, kill mode mixed and
a restart.

`lives.txt` is read by people: who changes what a row says must mean it. `python -m tests.spec.lives` writes it anew.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from supervisor.model import effects as do
from supervisor.model.states import ExitCode, JobType, Phase, SubState
from tests.spec.behaviour import Process, exits, runs, says_ready
from tests.spec.build import SECOND, commands
from tests.spec.shell import BOOT_MONO_US
from tests.spec.test_total_table import PATHS
from tests.spec.world import World

TABLE = Path(__file__).parent / "data" / "lives.txt"
VERBS = (*JobType, "reset-failed", "shutdown", "shutdown twice")
WORDS = ({"READY": "1"}, {"RELOADING": "1"}, {"STOPPING": "1"}, {"WATCHDOG": "trigger"}, {"EXTEND_TIMEOUT_USEC": "200000000"})
ENDS = ((ExitCode.EXITED, 0), (ExitCode.EXITED, 3), (ExitCode.KILLED, 15), (ExitCode.DUMPED, 6), (ExitCode.UNKNOWN, 0))
CHARACTERS = ("plain", "full")


def rows() -> Iterator[tuple[str, str]]:
    """(what happens, what follows)"""
    for character in CHARACTERS:
        for sub in PATHS:
            without = ""
            for name, act in _happenings(_world_in(sub, character)):
                world = _world_in(sub, character)
                begin, begin_us = len(world.history), world.now_us
                for phase in Phase:  # whatever is run from now on does what it should
                    world.behave("a", says_ready() if phase is Phase.START else exits(0), phase=phase)
                act(world)
                if not _told(world, begin, begin_us) and (moment_us := world.next_moment()) is not None:
                    world.advance(moment_us - world.now_us)
                follows = _told(world, begin, begin_us) or "nothing"
                without = without or follows
                yield f"{character}, {sub}, {name}", follows if follows != without or name == "nothing" else "as nothing"


def _world_in(sub: SubState, character: str) -> World:
    specification, scripts, act = PATHS[sub]
    service = specification.service
    if character == "full" and service is not None:
        service = replace(
            service,
            exec_stop=service.exec_stop or commands("stop"),
            exec_stop_post=service.exec_stop_post or commands("stop-post"),
            kill_mode="mixed",
            restart="on-failure" if service.restart == "no" else service.restart,
            notify_access="all",
        )
        specification = replace(specification, service=service)
    world = World(specification)
    for phase, script in scripts.items():
        world.behave("a", script, phase=phase)
    if character == "full" and Phase.START not in scripts:
        world.behave("a", runs(leaves=(Process(),)))
    world.start("a")
    act(world)
    return world


def _happenings(world: World) -> Iterator[tuple[str, Callable[[World], None]]]:
    yield "nothing", lambda _world: None
    for verb in VERBS:
        yield str(verb), partial(_ask, verb)
    for whom in ("main", "control"):
        if _pid(world, whom):
            for code, status in ENDS:
                yield f"{whom} {code} {status}", partial(_end, whom, code, status)
            for word in WORDS:
                yield f"{whom} says {' '.join(f'{key}={value}' for key, value in word.items())}", partial(_say, whom, word)


def _end(whom: str, code: ExitCode, status: int, world: World) -> None:
    world.end(_pid(world, whom), code, status)


def _say(whom: str, word: dict[str, str], world: World) -> None:
    world.notify("a", _pid(world, whom), **word)


def _pid(world: World, whom: str) -> int:
    return int(world.show("a")[f"{whom}_pid"])


def _ask(verb: str, world: World) -> None:
    if verb == "reset-failed":
        world.reset_failed("a")
    elif verb.startswith("shutdown"):
        for _ in verb.split():
            world.shutdown()
    else:
        world.request(verb, "a")


def _told(world: World, begin: int, last_us: int) -> str:
    told = []
    for when_us, thing in world.history[begin:]:
        if words := _words(thing):
            if when_us > last_us + BOOT_MONO_US:
                told.append(f"+{(when_us - last_us - BOOT_MONO_US) / SECOND:g}s")
                last_us = when_us - BOOT_MONO_US
            told.append(words)
    return "; ".join(told)


def _words(thing: object) -> str:
    """What an effect is to whoever reads the table; "" for what only the machinery minds."""
    match thing:
        case do.Record(kind="state"):
            told = dict(thing.fields)
            return str(told["sub_state"] if told["result"] == "success" else f"{told['sub_state']} {told['result']}")
        case do.Record():
            return "" if thing.kind == "job" else f"({thing.text})"
        case do.Prepare():
            return f"run {thing.phase}"
        case do.Kill():
            extras = [word for word, is_so in (("cont", thing.and_continue), ("repeat", thing.is_repeated)) if is_so]
            return " ".join([f"kill {thing.signal} {thing.whom}", *extras])
        case do.FinishJob():
            return f"{thing.type} {thing.result}"
        case do.Answer():
            return f"refused {thing.code}" if thing.code else ""
        case do.Release():
            return "release, will restart" if thing.will_restart else "release"
        case do.Leave():
            return f"leave {thing.exit_status}"
    return ""


def main() -> None:
    TABLE.write_text("".join(f"{what}: {follows}\n" for what, follows in rows()), encoding="utf-8")


if __name__ == "__main__":
    main()
