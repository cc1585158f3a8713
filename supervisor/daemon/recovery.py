"""After the keeper's death: the next supd finds in its journal what was running, and goes on with it (DESIGN, Keeper's death).

The journal gives back the table as the dead keeper had it. A run whose end is not in it either lives (the process with that pid
still has that start time) and is adopted by pidfd, or ended while nobody could see how: `exec_main_code` is then "unknown".
A journal of another boot is void. It reads; what is done with the survivors is the engine's affair.
"""

import json
import os
from typing import Any

from supervisor.daemon.proctable import read_process

JOURNAL_FILE = "journal"
Json = dict[str, Any]


def path_of(state_directory: str) -> str:
    return os.path.join(state_directory, JOURNAL_FILE)


def read(state_directory: str, boot_id: str) -> Json | None:
    """The dead keeper's table, {"remembered", "runs"}; None when it left none, or belongs to another boot."""
    try:
        with open(path_of(state_directory), "rb") as file:
            if os.fstat(file.fileno()).st_uid != os.geteuid():
                return None
            lines = file.read().split(b"\n")
    except OSError:
        return None
    table: Json = {"remembered": {}, "runs": {}}
    for line in lines[:-1]:  # a last line without its end was being written when the keeper died
        try:
            _replay(table, json.loads(line))
        except (ValueError, KeyError, TypeError, IndexError, AttributeError):
            continue  # one damaged line costs what it said
    if table["remembered"].get(BOOT_KEY) != boot_id:
        return None
    return table


BOOT_KEY = "boot"


def _replay(table: Json, record: Json) -> None:
    runs: dict[int, Json] = table["runs"]
    if "table" in record:
        table["remembered"] = record["table"]["remembered"]
        table["runs"] = {int(number): run for number, run in record["table"]["runs"].items()}
        return
    if "fact" in record:
        fact = record["fact"]
        run = runs.get(fact[1])
        if run is not None:
            run["reports"].append(fact)
            if fact[0] == "forked":
                run["pid"], run["start_time_ticks"] = fact[2], fact[3]
        return
    for key, text in record.get("remember", {}).items():
        if text:
            table["remembered"][key] = text
        else:
            table["remembered"].pop(key, None)
    for number, unit, phase in record.get("spawn", ()):
        runs.setdefault(number, {"unit": unit, "phase": phase, "pid": 0, "start_time_ticks": 0, "reports": []})
    for number in record.get("forget", ()):
        runs.pop(number, None)


def is_alive(run: Json) -> bool:
    """Whether the run's process, and no later owner of its pid, still lives."""
    process = read_process(run["pid"]) if run["pid"] else None
    return process is not None and process.start_time_ticks == run["start_time_ticks"]


def log_pipe(pid: int, number: int) -> int | None:
    """A log's pipe, taken up again from a process's descriptor 1 or 2 with the bytes still in it; None if that is no pipe."""
    import stat

    path = f"/proc/{pid}/fd/{number}"
    try:
        if stat.S_ISFIFO(os.stat(path).st_mode):
            return os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        pass
    return None
