"""How a figure is made and kept: fresh directories, stamps, interleaved rounds, a quiet machine, medians.

Stamps are what services write on their own as the first act of main(), so start times need no polling of the process.
Every sample is on disk as soon as it is taken: an interrupted run loses nothing.
"""

import contextlib
import json
import os
import platform
import random
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from .cage import HOME, busy_s

RESULTS = HOME / "results"
STAMP_BYTES = 64  # of one stamp record

Sample = dict[str, Any]
T = TypeVar("T")


class Stamps:
    """The file that services append their 64-byte records to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_bytes(b"")

    def clear(self) -> None:
        os.truncate(self.path, 0)

    def count(self) -> int:
        return os.stat(self.path).st_size // STAMP_BYTES

    def read(self, event: str) -> list[int]:
        """When services stamped `event`, in monotonic nanoseconds, in the order of writing."""
        rows = (line.split() for line in self.path.read_text().splitlines())
        return [int(row[3]) for row in rows if row[0] == event]

    def wait(self, n: int, timeout_s: float, tick_s: float = 0.001, alive: Callable[[], bool] | None = None) -> bool:
        """Until there are n records: True. False at the time-out, or once `alive` says that none will come."""
        end = time.monotonic() + timeout_s
        while self.count() < n:
            if time.monotonic() > end or (alive is not None and not alive()):
                return False
            time.sleep(tick_s)
        return True


@contextlib.contextmanager
def workspace(label: str) -> Iterator[tuple[Path, Stamps]]:
    """A fresh directory on disk (where users keep logs) and stamps on tmpfs; both go afterwards."""
    (HOME / "run").mkdir(parents=True, exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix=label + ".", dir=HOME / "run"))
    stamps = Path("/dev/shm") / ("supbench." + directory.name)
    try:
        yield directory, Stamps(stamps)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        stamps.unlink(missing_ok=True)


def median(xs: Iterable[float | None]) -> float | None:
    known = [x for x in xs if x is not None]
    return statistics.median(known) if known else None


def quantile(xs: Iterable[float], q: float) -> float | None:
    ordered = sorted(xs)
    return ordered[min(len(ordered) - 1, round(q * (len(ordered) - 1)))] if ordered else None


def machine() -> Sample:
    rows = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((r.split(":")[1].strip() for r in rows if r.startswith("model name")), "?")
    return {"cpu": model, "cores": os.cpu_count(), "kernel": platform.release(), "python": sys.version.split()[0], "load": os.getloadavg()}


class Results:
    """Raw samples and their medians, written after every sample."""

    def __init__(self, bench: str, params: dict[str, Any], tag: str = "") -> None:
        self.path = RESULTS / f"{bench}{'-' + tag if tag else ''}.json"
        self.samples: list[Sample] = []
        self.head = {"bench": bench, "params": params, "machine": machine(), "began": time.strftime("%FT%T")}

    def add(self, **sample: Any) -> None:
        self.samples.append(sample)
        shown = (f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in sample.items())
        print(time.strftime("%T"), *shown, flush=True)
        self.save()

    def save(self) -> None:
        RESULTS.mkdir(parents=True, exist_ok=True)
        tmp = self.path.with_suffix(".tmp")
        tmp.write_text(json.dumps({**self.head, "samples": self.samples, "medians": self.medians()}, indent=1))
        tmp.replace(self.path)

    def medians(self) -> list[Sample]:
        groups: dict[tuple[Any, ...], list[Sample]] = {}
        for s in self.samples:
            groups.setdefault((s["peer"], s.get("n"), s.get("case")), []).append(s)
        out = []
        for (peer, n, case), rows in groups.items():
            keys = {k for r in rows for k, v in r.items() if isinstance(v, int | float) and not isinstance(v, bool)} - {"n", "rep"}
            figures = {k: median(r.get(k) for r in rows) for k in sorted(keys)}
            out.append({"peer": peer, "n": n, "case": case, "samples": len(rows), **figures})
        return out


def rounds(peers: Sequence[T], reps: int) -> Iterator[tuple[int, T]]:
    """(rep, peer) for every peer in each round, in a fresh order: the peers interleave."""
    for rep in range(reps):
        order = list(peers)
        random.shuffle(order)
        for peer in order:
            yield rep, peer


def await_quiet(limit_cores: float = 0.2, timeout_s: float = 30.0) -> None:
    """Wait until less than `limit_cores` are busy (others may use this machine), for a while."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        t, b = time.monotonic(), busy_s()
        time.sleep(0.4)
        if (busy_s() - b) / (time.monotonic() - t) <= limit_cores:
            return


def quietly(measure: Callable[[], Sample], limit_cores: float = 0.4, tries: int = 4) -> Sample:
    """measure(), again if something else kept the machine busy; the quietest run counts.

    What others used is what measure() returns as other_busy_cores, or else what neither this process nor the children it
    waited for account for.
    """
    best: Sample = {}
    began = time.monotonic()
    for attempt in range(tries):
        await_quiet()
        t, b, own = time.monotonic(), busy_s(), own_cpu_s()
        got = measure()
        other = ((busy_s() - b) - (own_cpu_s() - own)) / (time.monotonic() - t)
        got.setdefault("other_busy_cores", max(0.0, other))
        if not best or got["other_busy_cores"] < best["other_busy_cores"]:
            best = got
        best["tries"] = attempt + 1
        if best["other_busy_cores"] <= limit_cores or time.monotonic() - began > 45:
            break
    return best


def own_cpu_s() -> float:
    both = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(r.ru_utime + r.ru_stime for r in both)


def raise_limits() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
