"""After the keeper's death: the next supd finds in its journal what was running, and goes on with it (DESIGN, Keeper's death).

The journal gives back the table as the dead keeper had it. A run whose end is not in it either lives (the process with that pid
still has that start time) and is adopted by pidfd, or ended while nobody could see how: `exec_main_code` is then "unknown".
A journal of another boot is void. It reads; what is done with the survivors is the engine's affair.

The new keeper's first journal takes the old one's place, so what was found goes with it, as a text to remember (FOUND_KEY), in one batch.
It stays until the boot is done: a manager that dies on the way loses no survivor, and so no second copy is started beside one.
"""

import json
import os
from typing import Any

from supervisor.daemon.proctable import read_process
from supervisor.keeper.journal import VERSION
from supervisor.model.errors import SupdError

JOURNAL_FILE = "journal"
BOOT_KEY = "boot"  # remembered: the boot of the machine all of it belongs to
BOOTED_KEY = "booted"  # remembered with the first jobs: there is no boot left to be done
FOUND_KEY = "found"  # remembered until then: the runs of the dead keeper
BOOTED = {BOOTED_KEY: "yes", FOUND_KEY: ""}
Json = dict[str, Any]


class LaterJournal(SupdError):
    """It was written by a later supd than this one."""


def path_of(state_directory: str) -> str:
    return os.path.join(state_directory, JOURNAL_FILE)


def read(state_directory: str, boot_id: str) -> Json | None:
    """The dead keeper's table, {"remembered", "runs", "has_booted"}; None when it left none, or belongs to another boot.

    Raises LaterJournal for that of a later supd: what it does not understand it cannot take over, and a second copy would be worse.
    """
    try:
        with open(path_of(state_directory), "rb") as file:
            if os.fstat(file.fileno()).st_uid != os.geteuid():
                return None
            lines = file.read().split(b"\n")
    except OSError:
        return None
    table: Json = {"remembered": {}, "runs": {}}
    later: LaterJournal | None = None
    for line in lines[:-1]:  # a last line without its end was being written when the keeper died
        try:
            _replay(table, json.loads(line))
        except LaterJournal as error:
            later = error
        except (ValueError, KeyError, TypeError, IndexError, AttributeError):
            continue  # one damaged line costs what it said
    if table["remembered"].get(BOOT_KEY) != boot_id:
        return None
    if later is not None:
        raise LaterJournal(
            f"cannot take over what another supd has left running: {path_of(state_directory)} has version {later.args[0]}, and this supd "
            f"reads {VERSION}. Nothing is touched: start the supd that wrote it, or a newer one"
        )
    if (earlier := unfinished(table)) is not None:
        table["runs"] = earlier["runs"] | table["runs"]
    table["has_booted"] = table["remembered"].pop(BOOTED_KEY, "") != "" or (earlier is not None and earlier["has_booted"])
    return table


def found(table: Json, state_directory: str, boot_id: str) -> Json | None:
    """What a dead keeper left and nobody has taken over yet. `table` is the living keeper's.

    The file is the dead one's until the living one's journal has taken its place, whatever manager it is that looks.
    """
    return unfinished(table) if BOOT_KEY in table["remembered"] else read(state_directory, boot_id)


def unfinished(table: Json) -> Json | None:
    """What `read` had found for a manager that did not live to take it over; None when nothing is left of that."""
    text = table["remembered"].get(FOUND_KEY)
    if not text:
        return None
    kept = json.loads(text)
    runs = {int(number): run for number, run in kept["runs"].items()}
    return {"remembered": table["remembered"], "runs": runs, "has_booted": kept["has_booted"]}


def to_remember(remembered: dict[str, str], found: Json | None, boot_id: str) -> dict[str, str]:
    """What goes to the keeper before its first journal: all that was remembered, and what was found."""
    texts = {**remembered, BOOT_KEY: boot_id}
    if found is not None:
        texts[FOUND_KEY] = json.dumps({"runs": found["runs"], "has_booted": found["has_booted"]}, separators=(",", ":"))
    return texts


def _replay(table: Json, record: Json) -> None:
    runs: dict[int, Json] = table["runs"]
    if "table" in record:
        if record.get("version", 1) > VERSION:
            table["remembered"] = {BOOT_KEY: record["table"]["remembered"].get(BOOT_KEY, "")}
            raise LaterJournal(record["version"])
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
