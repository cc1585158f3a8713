"""The supervisors that are measured, and the limits they are measured against."""

import json
import os
import shlex
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from .adapter import KEEP, ROTATE_BYTES, Adapter, Command, first_line
from .cage import HERE, HOME


class Supd(Adapter):
    """supd, from the environment that `run` made of this checkout (or from $SUPBENCH_SUPD, a directory that holds supd and supctl)."""

    name = "supd"
    bin = Path(os.environ.get("SUPBENCH_SUPD", HOME / "venv-supd/bin"))
    needs = (str(bin / "supd"), str(bin / "supctl"))
    note = "this checkout"

    def version(self) -> str:
        return first_line([str(self.bin / "supd"), "--version"])

    def write_config(self, n: int, command: Command, log: bool) -> None:
        units = self.directory / "units"
        units.mkdir()
        for i, s in enumerate(self.names()):
            # A JSON string without control characters is a TOML basic string.
            (units / f"{s}.toml").write_text(
                "[unit]\nstart_limit_interval_sec = 0\n\n"
                f'[service]\nexec_start = {json.dumps(shlex.join(command(i)))}\nrestart = "always"\nrestart_sec = 0\n'
                f'standard_output = "{"log" if log else "null"}"\n'
            )

    def argv(self) -> list[str]:
        d = self.directory
        places = ["--units", f"{d}/units", "--state", f"{d}/state", "--runtime", f"{d}/run", "--socket", f"{d}/s.sock"]
        return [str(self.bin / "supd"), *places]

    def ctl(self, *words: str) -> list[str]:
        return [str(self.bin / "supctl"), "--socket", f"{self.directory}/s.sock", *words]

    def status_cmd(self, name: str | None = None) -> list[str]:
        return self.ctl("status", name) if name else self.ctl("list")

    def restart_cmd(self, name: str) -> list[str]:
        return self.ctl("restart", name)

    @property
    def logs(self) -> Path:
        return self.directory / "state/logs"

    def log_files(self) -> list[Path]:
        return [p for p in super().log_files() if p.suffix == ".log" and p.parent.name != "supd"]  # not what supd itself says

    def stop(self) -> None:
        """An orderly stop first: it takes the control groups along, which a killed tree would leave behind."""
        if self.cage is not None:
            with suppress(ProcessLookupError):
                pidfd = os.pidfd_open(self.cage.child)
                signal.pidfd_send_signal(pidfd, signal.SIGTERM)
                subprocess.run(["timeout", "20", "tail", f"--pid={self.cage.child}", "-f", "/dev/null"], check=False)
                os.close(pidfd)
        super().stop()


class Supervisord(Adapter):
    name = "supervisord"
    bin = HOME / "venv-supervisor/bin"
    needs = (str(bin / "supervisord"),)

    def version(self) -> str:
        return first_line([str(self.bin / "supervisord"), "--version"])

    def write_config(self, n: int, command: Command, log: bool) -> None:
        d = self.directory
        rows = [
            f"[unix_http_server]\nfile={d}/s.sock\n[supervisord]\nnodaemon=true\nminfds={max(1024, 4 * n)}\n"
            f"logfile={d}/supervisord.log\npidfile={d}/s.pid\n[rpcinterface:supervisor]\n"
            "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n"
            f"[supervisorctl]\nserverurl=unix://{d}/s.sock"
        ]
        for i, s in enumerate(self.names()):
            rows.append(
                f"[program:{s}]\ncommand={shlex.join(command(i))}\nautorestart=true\nstartsecs=0\nredirect_stderr=true\n"
                f"stdout_logfile={f'{self.logs}/{s}.log' if log else 'NONE'}\n"
                f"stdout_logfile_maxbytes={ROTATE_BYTES}\nstdout_logfile_backups={KEEP}"
            )
        (d / "s.conf").write_text("\n".join(rows) + "\n")

    def argv(self) -> list[str]:
        return [str(self.bin / "supervisord"), "-c", f"{self.directory}/s.conf"]

    def ctl(self, *words: str) -> list[str]:
        return [str(self.bin / "supervisorctl"), "-c", f"{self.directory}/s.conf", *words]

    def status_cmd(self, name: str | None = None) -> list[str]:
        return self.ctl("status", *([name] if name else []))

    def restart_cmd(self, name: str) -> list[str]:
        return self.ctl("restart", name)


class FloorPy(Adapter):
    name = "floor-py"
    note = "a bare Python loop without features: what the language allows here"
    lazy_ms: ClassVar[int] = 0
    python: ClassVar[list[str]] = [sys.executable, "-I", "-S"]

    def version(self) -> str:
        return "python " + sys.version.split()[0]

    def write_config(self, n: int, command: Command, log: bool) -> None:
        services = [[s, command(i), f"{self.logs}/{s}.log" if log else ""] for i, s in enumerate(self.names())]
        config = {"socket": f"{self.directory}/s.sock", "rotate_bytes": ROTATE_BYTES, "lazy_ms": self.lazy_ms, "services": services}
        (self.directory / "c.json").write_text(json.dumps(config))

    def argv(self) -> list[str]:
        (self.directory / "s.sock").unlink(missing_ok=True)
        return [*self.python, f"{HERE}/floor_sup.py", f"{self.directory}/c.json"]

    def ctl(self, *words: str) -> list[str]:
        return [*self.python, f"{HERE}/floor_sup.py", "ctl", f"{self.directory}/s.sock", *words]

    def status_cmd(self, name: str | None = None) -> list[str]:
        return self.ctl("status", *([name] if name else []))

    def restart_cmd(self, name: str) -> list[str]:
        return self.ctl("restart", name)


class FloorPyLazy(FloorPy):
    name = "floor-py-lazy"
    note = "the same, but it reads logs at most every 50 ms"
    only_in = ("b3", "b7")
    lazy_ms = 50


class LimitSplicePy(Adapter):
    name = "limit-splice-py"
    note = "no supervisor: one bare Python loop over os.splice()"
    only_in = ("b3",)

    def write_config(self, n: int, command: Command, log: bool) -> None:
        pump = f"{shlex.quote(sys.executable)} -I -S {shlex.quote(f'{HERE}/pump.py')}"
        rows = [f"{shlex.join(command(i))} | {pump} {self.logs}/{s}.log &" for i, s in enumerate(self.names())]
        (self.directory / "run.sh").write_text("\n".join([*rows, "wait", ""]))

    def argv(self) -> list[str]:
        return ["/bin/sh", f"{self.directory}/run.sh"]


class WriterToFile(Adapter):
    name = "writer-file"
    note = "nobody in between: writer > file"
    only_in = ("b3",)

    def write_config(self, n: int, command: Command, log: bool) -> None:
        rows = [f"{shlex.join(command(i))} > {self.logs}/{s}.log &" for i, s in enumerate(self.names())]
        (self.directory / "run.sh").write_text("\n".join([*rows, "wait", ""]))

    def argv(self) -> list[str]:
        return ["/bin/sh", f"{self.directory}/run.sh"]


PEERS: dict[str, type[Adapter]] = {c.name: c for c in (Supd, Supervisord, FloorPy, FloorPyLazy, LimitSplicePy, WriterToFile)}
