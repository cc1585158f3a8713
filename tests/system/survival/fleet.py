"""Fifty services that keep books of their own, and the people who work on them at random: each lane is one person with units of his own.

Whatever a lane does, it knows what must come of it, and notes how many lives each unit must have had (`expected`). A request whose
connection broke off (the manager was killed) was heard or not: the lane looks, and asks again if it was not; never twice for nothing.
"""

import http.client
import json
import os
import signal
import threading
import time
from collections.abc import Callable
from random import Random

from tests.system.arrival import Deadline, NotInTime
from tests.system.descent import is_alive
from tests.system.supd import Json, Supd
from tests.system.survival.books import Books, Life

WITHIN_S = 60.0
WITNESS = os.path.join(os.path.dirname(__file__), "witness.py")
LANES = 4
TRIAL_MAX_S = 3.0  # supd trusts a new definition once it has been up for two
COUNTS = {"plain": 20, "told": 8, "stubborn": 4, "base": 6, "leaf": 6, "task": 6}
WORKERS_MAX = 6
TEMPLATE = "worker"


def unit_text(kind: str, name: str, books: str, generation: int = 0) -> str:
    """The unit file of one witness."""
    program = {"base": "plain", "leaf": "plain", "worker": "plain"}.get(kind, kind)
    unit = {"leaf": f'depends_on = ["{name.replace("leaf", "base")}"]\n', "task": "enabled = false\n", "worker": "instances = 0\n"}
    service = {
        "told": 'type = "notify"\n',
        "task": 'type = "oneshot"\n',
        "stubborn": 'timeout_stop_sec = "300ms"\n',
    }
    restart = "" if kind == "task" else 'restart = "on-failure"\nrestart_sec = 0\n'
    own_name = "%n" if kind == "worker" else name
    return (
        f"[unit]\nstart_limit_interval_sec = 0\n{unit.get(kind, '')}"
        f'[service]\nexec_start = "/usr/bin/env python3 -I -S {WITNESS} {program} {own_name} {books}"\n'
        f'environment = {{ GENERATION = "{generation}" }}\n{service.get(kind, "")}{restart}'
    )


def names() -> list[str]:
    return [f"{kind}-{number}" for kind, count in COUNTS.items() for number in range(count)]


def kind_of(name: str) -> str:
    return name.partition("-")[0].partition("@")[0]


def fleet(books: str) -> dict[str, str]:
    """All unit files, by name."""
    return {**{name: unit_text(kind_of(name), name, books) for name in names()}, f"{TEMPLATE}@": unit_text("worker", TEMPLATE, books)}


class Lane(threading.Thread):
    """Works on its units until told to stop. `failure` is what went wrong, if anything did."""

    def __init__(self, supd: Supd, books: Books, number: int, seed: int, has_failed: threading.Event) -> None:
        super().__init__(name=f"lane {number}")
        self._supd = supd
        self._books = books
        self._random = Random(f"{seed}/{number}")
        self.pause = threading.Lock()  # held during each deed
        self.mine = [name for name in names() if int(name.partition("-")[2]) % LANES == number and kind_of(name) != "leaf"]
        self._has_workers = number == 0
        self._workers = 0
        self.expected: dict[str, int] = {}
        self._is_up: dict[str, bool] = {}
        self._generation: dict[str, int] = {}
        self.deeds: list[str] = []
        self.failure: BaseException | None = None
        self.has_failed = has_failed  # this one, or any other of them
        self.is_to_stop = threading.Event()
        for name in self._everything():
            self._is_up[name] = kind_of(name) != "task"
            self.expected[name] = int(self._is_up[name])

    def _everything(self) -> list[str]:
        return self.mine + [name.replace("base", "leaf") for name in self.mine if kind_of(name) == "base"]

    def run(self) -> None:
        try:
            with self.pause:
                for name in self._everything():
                    self._await_lives(name)
                    if self._is_up[name]:
                        self._await_state(name)
            while not self.is_to_stop.is_set():
                with self.pause:
                    self._do_something()
        except BaseException as error:
            error.add_note(f"in {self.name}; its last deeds: {'; '.join(self.deeds[-12:])}")
            self.failure = error
            self.has_failed.set()

    def _do_something(self) -> None:
        if self._has_workers and self._random.random() < 0.15:
            self._scale(self._random.randint(0, WORKERS_MAX))
            return
        name = self._random.choice(self.mine)
        kind = kind_of(name)
        deed = self._random.choice(("stop", "restart", "crash", "kill", "flood", "flood", "edit", "comment"))
        if kind == "task" or not self._is_up[name]:
            self._change(name, "start", ends=0, begins=1)
        elif deed in ("stop", "restart"):
            self._change(name, deed, ends=1, begins=int(deed == "restart"))
        elif deed == "flood" or (deed in ("crash", "kill") and self._is_on_trial(name)):
            self._signal(name, signal.SIGUSR2)
        elif deed in ("crash", "kill"):
            self._crash(name, signal.SIGUSR1 if deed == "crash" else signal.SIGKILL)
        else:
            self._edit(name, is_comment=deed == "comment")

    # -- deeds -----------------------------------------------------------------------------------------------------

    def _with(self, name: str) -> list[str]:
        """The unit, and the one that follows whatever becomes of it."""
        return [name, name.replace("base", "leaf")] if kind_of(name) == "base" else [name]

    def _change(self, name: str, verb: str, *, ends: int, begins: int) -> None:
        self.deeds.append(f"{verb} {name}")
        # A leaf starts its base; whoever starts the base alone gets it alone.
        asked = name.replace("base", "leaf") if verb == "start" else name
        self._ask_for_job(asked, name, verb)
        for one in self._with(name):
            if kind_of(one) != "task":
                self._is_up[one] = bool(begins)
            self.expected[one] += begins
            self._await_lives(one)
            if ends and not begins:
                self._await_end(one)

    def _ask_for_job(self, asked: str, name: str, verb: str) -> None:
        """Have the job done once, whatever becomes of the connection. `name` is the unit whose change tells that it was heard."""
        while True:
            before = self._show(name)
            answer = self._request("POST", f"/v1/units/{asked}/{verb}", {})
            if answer is not None:
                status, made = answer
                assert status in (200, 202), f"{verb} {asked}: {status} {made}"
                if made["job"]:
                    self._await_job(made["job"])
                return
            after = self._settled(asked, name)
            if any(after[key] != before[key] for key in ("invocation_id", "active_state")):
                return

    def _signal(self, name: str, number: int) -> Life:
        life = self._books.lives(name)[-1]
        self.deeds.append(f"signal {number} to {name} {life.pid}")
        os.kill(life.pid, number)
        return life

    def _crash(self, name: str, number: int) -> None:
        self._signal(name, number)
        for one in self._with(name):
            self.expected[one] += 1
            self._await_lives(one)
        self._await_state(name)

    def _is_on_trial(self, name: str) -> bool:
        """Whether a crash now would be taken for the fault of its new definition, and lead back to the one of before."""
        return name in self._generation and time.time() - self._show(name)["active_enter_time_s"] < TRIAL_MAX_S

    def _edit(self, name: str, *, is_comment: bool) -> None:
        """Save the unit file: with another environment it restarts, with another comment it does not."""
        generation = self._generation.get(name, 0) + (not is_comment)
        self._generation[name] = generation
        self.deeds.append(f"{'comment in' if is_comment else 'edit'} {name}")
        comment = f"# {self._random.random()}\n"
        self._supd.write(f"units/{name}.toml", comment + unit_text(kind_of(name), name, self._books.directory, generation))
        if is_comment:
            return
        for one in self._with(name):
            self.expected[one] += 1
            self._await_lives(one)
        assert self._books.lives(name)[-1].generation == generation
        self._await_state(name)

    def _scale(self, count: int) -> None:
        self.deeds.append(f"scale {TEMPLATE} {count}")
        while (answer := self._request("POST", f"/v1/units/{TEMPLATE}/scale", {"instances": count})) is None:
            pass  # to say it again changes nothing
        assert answer[0] == 200, f"scale: {answer}"
        for number in range(1, max(count, self._workers) + 1):
            name = f"{TEMPLATE}@{number}"
            if number > self._workers:
                self.expected[name] = self.expected.get(name, 0) + 1
                self._await_lives(name)
            elif number > count:
                self._await_end(name)
        self._workers = count

    # -- seeing what comes of it -----------------------------------------------------------------------------------

    def _await_lives(self, name: str) -> None:
        count = self.expected[name]
        self._books.wait(
            name, f"begun its life number {count}", lambda lives: len(lives) >= count and (not count or lives[-1].pid), WITHIN_S
        )

    def _await_end(self, name: str) -> None:
        """The last life is over, however it ended."""
        life = self._books.lives(name)[-1]
        deadline = Deadline(WITHIN_S)
        while is_alive(life.pid):
            if self._settled(name, name)["active_state"] in ("inactive", "failed") or not deadline.remaining_s():
                assert not is_alive(life.pid), f"{name} is down, and its process {life.pid} is there"

    def _await_state(self, name: str) -> None:
        """What follows may be asked of a unit that is up, not of one that is on its way."""
        deadline = Deadline(WITHIN_S)
        while (shown := self._settled(name, name))["active_state"] != "active":
            if not deadline.remaining_s():
                raise NotInTime(f"{name} is not active again: {shown['active_state']} ({shown['sub_state']})")

    def _settled(self, *of: str) -> Json:
        """The last unit, as soon as none of them has a job."""
        deadline = Deadline(WITHIN_S)
        while deadline.remaining_s():
            for name in of:
                if job := (shown := self._show(name))["job"]:
                    self._await_job(job["id"])
                    break
            else:
                return shown
        raise NotInTime(f"{of} do not come to rest: {shown}")

    def _show(self, name: str) -> Json:
        return self._read(f"/v1/units/{name}")

    def _await_job(self, job: int) -> None:
        self._read(f"/v1/jobs/{job}?wait=true")

    def _read(self, path: str) -> Json:
        """A question is asked until it is answered."""
        deadline = Deadline(WITHIN_S)
        while (answer := self._request("GET", path)) is None:
            if not deadline.remaining_s():
                raise NotInTime(f"nobody answers GET {path}")
        assert answer[0] in (200, 404), f"GET {path}: {answer}"
        found: Json = answer[1]
        return found

    def _request(self, method: str, path: str, body: object = None) -> tuple[int, Json] | None:
        """None when the connection broke off, or nobody listens for the moment (the keeper was killed)."""
        try:
            return self._supd.request(method, path, body, within_s=WITHIN_S)
        except (http.client.HTTPException, ConnectionError, FileNotFoundError, json.JSONDecodeError):
            return None


def run_lanes(lanes: list[Lane], faults: Callable[[], None]) -> None:
    """Let all lanes work while `faults` does its worst, then let each finish what it has begun. Raises what went wrong in one."""
    for lane in lanes:
        lane.start()
    try:
        faults()
    finally:
        for lane in lanes:
            lane.is_to_stop.set()
        for lane in lanes:
            lane.join()
    for lane in lanes:
        if lane.failure is not None:
            raise lane.failure
