#!/usr/bin/env python3
"""Does a supd that is busy for a long time stay as it was? Units that crash, flap, log, reload and change, for as long as asked.

    python contrib/bench/soak.py [--units 300] [--seconds 600] [--every 30] [--json] [--supd PATH]

A supd of its own, in a temporary directory, runs the units. After a first round of everything all units are stopped and what supd holds
is measured at rest; then the load goes on, with a line of figures from time to time; at the end it is measured at rest again.

anon_kb   anonymous memory of keeper and manager    fds      their descriptors       threads  their threads
jobs      jobs that are queued                      ask_ms   median and worst time of a request, a start that is waited for
lag_ms    the event loop's lag, as /metrics tells it
"""

import argparse
import http.client
import json
import os
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

Json = dict[str, Any]

UNIT = '[unit]\nstart_limit_interval_sec = 0\ndescription = "%s"\n[service]\ntimeout_stop_sec = 5\n[log]\nmax_size = "64K"\nkeep = 2\n'
LOGS = "while :; do echo a line of a service that has much to say of what it does; sleep 0.5; done"
KINDS = {
    "crash": ['restart = "always"', "restart_sec = 2", "exec_start = \"sh -c 'echo up; sleep 1; exit 3'\""],
    "flap": ['restart = "on-failure"', "restart_sec = 0.5", 'exec_start = "sleep 100000"'],
    "log": [f"exec_start = \"sh -c '{LOGS}'\""],
    "reload": ['exec_start = "sleep 100000"', 'exec_reload = "true"'],
    "change": ['exec_start = "sleep 100000"'],
    "task": ['type = "oneshot"', 'exec_start = "echo done"'],
}


class SocketConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("supd", timeout=60)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Soak:
    def __init__(self, directory: Path, supd: str, units: int, rng: random.Random) -> None:
        self.directory = directory
        self.rng = rng
        kinds = list(KINDS)
        self.units = {f"{kinds[i % len(kinds)]}{i}": kinds[i % len(kinds)] for i in range(units)}
        (directory / "units").mkdir()
        for name in self.units:
            self.write(name)
        self.socket = str(directory / ".supd" / "supd.sock")
        with open(directory / "supd.log", "wb") as log:
            self.process = subprocess.Popen([supd, "--units", "units"], cwd=directory, stdout=log, stderr=log, start_new_session=True)
        self.wait_until_it_answers()

    def write(self, name: str) -> None:
        """A new definition of a unit, put in place at once."""
        text = (UNIT % self.rng.randrange(1 << 30)).replace("[service]\n", "[service]\n" + "\n".join(KINDS[self.units[name]]) + "\n")
        if self.units[name] == "task":
            text = text.replace("[unit]\n", "[unit]\nenabled = false\n")
        if self.units[name] == "change":
            text = text.replace("[service]\n", f'[service]\nenvironment = {{ ROUND = "{self.rng.randrange(1 << 30)}" }}\n')
        draft = self.directory / "units" / f".{name}.draft"
        draft.write_text(text)
        draft.rename(self.directory / "units" / f"{name}.toml")

    def wait_until_it_answers(self) -> None:
        while True:
            try:
                self.ask("GET", "/v1/version")
                return
            except (FileNotFoundError, ConnectionRefusedError):
                if self.process.poll() is not None:
                    sys.exit(f"supd ended:\n{(self.directory / 'supd.log').read_text()}")
                time.sleep(0.05)

    def ask(self, method: str, path: str, body: Json | None = None) -> Any:
        """The answer's JSON or text; an error's too."""
        connection = SocketConnection(self.socket)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            response = connection.getresponse()
            raw = response.read()
            return json.loads(raw) if (response.getheader("Content-Type") or "").startswith("application/json") else raw.decode()
        finally:
            connection.close()

    def of(self, kind: str) -> str:
        return self.rng.choice([name for name, its in self.units.items() if its == kind])

    def act(self) -> None:
        """One thing that somebody, or misfortune, does to one of them."""
        deed = self.rng.choice(("kill", "reload", "start", "start", "restart", "change", "look"))
        if deed == "kill":
            self.ask("POST", f"/v1/units/{self.of('flap')}/kill", {"signal": "SIGKILL"})
        elif deed == "reload":
            self.ask("POST", f"/v1/units/{self.of('reload')}/reload")
        elif deed == "start":
            self.ask("POST", f"/v1/units/{self.of('task')}/start")
        elif deed == "restart":
            self.ask("POST", f"/v1/units/{self.of('log')}/restart")
        elif deed == "change":
            self.write(self.of("change"))
        else:
            self.ask("GET", "/v1/units?full=true")
            self.ask("GET", f"/v1/units/{self.of('log')}/log?lines=20")

    def load(self, seconds: float, a_second: float) -> None:
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            self.act()
            time.sleep(max(0.0, now + 1 / a_second - time.monotonic()))

    def everything(self, verb: str) -> None:
        """Start or stop all units and wait until it is done."""
        jobs = [self.ask("POST", f"/v1/units/{name}/{verb}").get("job", 0) for name in self.units]
        for job in jobs:
            if job:
                self.ask("GET", f"/v1/jobs/{job}?wait=true")

    def figures(self) -> Json:
        version = self.ask("GET", "/v1/version")
        found: Json = {"at_s": round(time.monotonic()), "manager_pid": version["manager_pid"], "anon_kb": 0, "fds": 0, "threads": 0}
        for pid in (version["keeper_pid"], version["manager_pid"]):
            status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
            found["anon_kb"] += int(status["RssAnon"].split()[0])
            found["threads"] += int(status["Threads"])
            found["fds"] += len(os.listdir(f"/proc/{pid}/fd"))
        found["jobs"] = len(self.ask("GET", "/v1/jobs"))
        found["restarts"] = sum(unit["n_restarts"] for unit in self.ask("GET", "/v1/units"))
        times_ms = [self.timed_ms() for _ in range(20)]
        found["ask_ms"] = [round(statistics.median(times_ms), 1), round(max(times_ms), 1)]
        lag = next(line for line in self.ask("GET", "/metrics").splitlines() if line.startswith("supd_loop_lag_seconds"))
        found["lag_ms"] = round(float(lag.split()[1]) * 1000, 1)
        return found

    def timed_ms(self) -> float:
        begun = time.perf_counter()
        self.ask("GET", "/v1/version")
        return (time.perf_counter() - begun) * 1000

    def at_rest(self) -> Json:
        """Every unit stopped; then what supd holds, the least of many looks: the connection of a look is seen in some of them."""
        self.everything("stop")
        found = self.figures()
        pids = [self.ask("GET", "/v1/version")[who] for who in ("keeper_pid", "manager_pid")]
        for _ in range(50):
            found["fds"] = min(found["fds"], sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids))
            time.sleep(0.02)
        return found

    def end(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()


def show(name: str, figures: Json, wants_json: bool) -> None:
    if not wants_json:
        print(f"{name:8}", "  ".join(f"{key}={value}" for key, value in figures.items()), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--every", type=float, default=30, help="seconds between two lines of figures")
    parser.add_argument("--acts", type=float, default=20, help="what is done to units, a second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print nothing but the figures at rest, before and after")
    parser.add_argument("--supd", default=shutil.which("supd", path=os.path.dirname(sys.executable)) or "supd")
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="soak-", dir="/tmp"))
    soak = Soak(directory, options.supd, options.units, random.Random(options.seed))
    try:
        soak.everything("start")  # what a unit holds from its first start on (the ends of its log pipe) is no growth
        soak.load(max(5.0, options.seconds / 10), options.acts)
        before = soak.at_rest()
        show("before", before, options.json)
        soak.everything("start")
        end = time.monotonic() + options.seconds
        while (left := end - time.monotonic()) > 0:
            soak.load(min(options.every, left), options.acts)
            show("load", soak.figures(), options.json)
        after = soak.at_rest()
        show("after", after, options.json)
        if options.json:
            print(json.dumps({"before": before, "after": after}))
    finally:
        soak.end()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
