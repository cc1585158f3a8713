"""Running a supervisor in a cage, and accounting for its tree.

A process of the tree whose executable is `svc` is a service; every other one belongs to the supervisor. CPU is the sum of
schedstat over live threads (nanoseconds) plus the time of the helpers it reaped (grain: 10 ms). A service's own CPU starts
with the fork, so the cost of fork() itself and of closing descriptors in the child is there. Nothing outside the cage is
ever signalled.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
HOME = Path(os.environ.get("SUPBENCH_HOME", Path.home() / ".cache/supbench"))  # peers, results, run directories
BIN = HOME / "bin"
SVC = str(BIN / "svc")
CAGE = str(BIN / "cage")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def build() -> None:
    """Compile the C helpers that are older than their source."""
    BIN.mkdir(parents=True, exist_ok=True)
    for src in sorted((HERE / "c").glob("*.c")):
        out = BIN / src.stem
        if not out.exists() or out.stat().st_mtime < src.stat().st_mtime:
            subprocess.run(["gcc", "-O2", "-Wall", "-o", out, src], check=True)


@dataclass
class Proc:
    pid: int
    ppid: int
    exe: str
    cpu_ns: int = 0  # its own CPU, all live threads
    reaped_ns: int = 0  # CPU of the children it waited for
    switches: int = 0  # voluntary and involuntary context switches
    rss_kb: int = 0
    pss_kb: int = 0

    @property
    def is_service(self) -> bool:
        return self.exe == SVC


def _read(path: str) -> str:
    with open(path) as f:
        return f.read()


def _stat(pid: int | str) -> list[str]:
    """The fields of /proc/PID/stat from the state on (proc(5), field 3)."""
    text = _read(f"/proc/{pid}/stat")
    return text[text.rindex(")") + 2 :].split()


def tree(roots: list[int], detail: bool = False) -> list[Proc]:
    """The live descendants of roots (roots excluded); detail adds CPU, switches and memory."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError):
                st = _stat(name)
                if st[0] not in "ZX":
                    children.setdefault(int(st[1]), []).append(int(name))
    out, todo = [], [(r, c) for r in roots for c in children.get(r, ())]
    while todo:
        ppid, pid = todo.pop()
        todo += [(pid, c) for c in children.get(pid, ())]
        try:
            p = Proc(pid, ppid, os.readlink(f"/proc/{pid}/exe"))
            if detail:
                _account(p)
        except OSError:  # it ended meanwhile
            continue
        out.append(p)
    return out


def _account(p: Proc) -> None:
    for tid in os.listdir(f"/proc/{p.pid}/task"):
        with contextlib.suppress(OSError):
            p.cpu_ns += int(_read(f"/proc/{p.pid}/task/{tid}/schedstat").split()[0])
            for row in _read(f"/proc/{p.pid}/task/{tid}/status").splitlines():
                if "ctxt_switches" in row:
                    p.switches += int(row.split()[1])
    p.reaped_ns = reaped_ns(p.pid)
    for row in _read(f"/proc/{p.pid}/smaps_rollup").splitlines():
        if row.startswith("Rss:"):
            p.rss_kb = int(row.split()[1])
        elif row.startswith("Pss:"):
            p.pss_kb = int(row.split()[1])


def reaped_ns(pid: int) -> int:
    st = _stat(pid)
    return (int(st[13]) + int(st[14])) * 1_000_000_000 // TICKS_PER_S


def busy_s() -> float:
    """CPU seconds the whole machine has spent busy (steal included)."""
    f = [int(x) for x in _read("/proc/stat").split("\n", 1)[0].split()[1:9]]
    return (sum(f) - f[3] - f[4]) / TICKS_PER_S


class Cage:
    """One program and all it starts, killed as a whole (see c/cage.c)."""

    def __init__(self, argv: Sequence[str], *, cwd: Path, out: Path) -> None:
        with open(out, "ab") as f:
            self.proc = subprocess.Popen([CAGE, *argv], cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=f)
        self.pid = self.proc.pid
        assert self.proc.stdout is not None
        self.child = int(self.proc.stdout.readline())
        self.proc.stdout.close()

    def kill(self) -> None:
        if self.proc.poll() is None:
            self.proc.send_signal(signal.SIGTERM)
            self.proc.wait(60)


@dataclass
class Usage:
    """What a caged tree has used so far, services and supervisor apart."""

    at_s: float
    machine_busy_s: float
    sup_procs: int
    svc_procs: int
    sup_cpu_s: float  # live supervisor processes and the helpers they reaped
    svc_cpu_s: float  # live services, from their fork on
    sup_switches: int
    sup_rss_mb: float
    sup_pss_mb: float

    def since(self, a: "Usage") -> dict[str, float]:
        wall_s = self.at_s - a.at_s
        sup_s, svc_s = self.sup_cpu_s - a.sup_cpu_s, self.svc_cpu_s - a.svc_cpu_s
        return {
            "wall_s": wall_s,
            "sup_cpu_s": sup_s,
            "svc_cpu_s": svc_s,
            "sup_switches": self.sup_switches - a.sup_switches,
            "other_busy_cores": max(0.0, (self.machine_busy_s - a.machine_busy_s - sup_s - svc_s) / wall_s),
        }


def usage(cages: list[Cage]) -> Usage:
    procs = tree([c.pid for c in cages], detail=True)
    sup = [p for p in procs if not p.is_service]
    svc = [p for p in procs if p.is_service]
    reaped = sum(p.reaped_ns for p in sup) + sum(reaped_ns(c.pid) for c in cages)
    return Usage(
        at_s=time.monotonic(),
        machine_busy_s=busy_s(),
        sup_procs=len(sup),
        svc_procs=len(svc),
        sup_cpu_s=(sum(p.cpu_ns for p in sup) + reaped) / 1e9,
        svc_cpu_s=sum(p.cpu_ns for p in svc) / 1e9,
        sup_switches=sum(p.switches for p in sup),
        sup_rss_mb=sum(p.rss_kb for p in sup) / 1024,
        sup_pss_mb=sum(p.pss_kb for p in sup) / 1024,
    )
