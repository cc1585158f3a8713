"""Single notify datagrams, in whole products: every phase x message, and for some messages x sender x notify_access.

Every row is a scenario. What systemd 252 made of it is in `datagrams.json`, one line a row; `python -m tests.agreement --datagrams
--record` writes it.
"""

import json
import re
from itertools import product

from tests.agreement.scenario import Json, Scenario
from tests.agreement.steps import Play

PHASES = ("starting", "running")
ACCESSES = ("main", "exec", "all")
REPEATED = re.compile(r"<(.)\*(\d+)>")
KID = "@KID@"  # in a message: the pid of a child of the main process

# Escapes are Python's, <z*9> is nine times z, a number after `+` is how many descriptors come along.
READY = ["READY=1", "READY=1\\n", "READY=1\\n\\0", "READY=1\\0", "READY=1\\0\\0", "READY=1\\0\\nSTATUS=x", "\\nREADY=1", "READY=1\\r\\n"]
READY += ["READY=1\\rSTATUS=x", "READY=0\\nREADY=1", "READY=1\\nREADY=0", "READY=1 ", " READY=1", "READY", "READY=", "READY=0", "READY=01"]
READY += ["ready=1", "XREADY=1", "READY=1\\nGARBAGE", "GARBAGE\\nREADY=1", "READY=1=1", "\\n", "=1", "=", "\\0"]
STATES = [
    "RELOADING=1",
    "RELOADING=0",
    "STOPPING=1",
    "STOPPING=0",
    "RELOADING=1\\nREADY=1",
    "READY=1\\nRELOADING=1",
    "STOPPING=1\\nREADY=1",
]
STATES += [
    "READY=1\\nSTOPPING=1",
    "RELOADING=1\\nSTOPPING=1",
    "STOPPING=1\\nRELOADING=1",
    "RELOADING=1\\nMONOTONIC_USEC=x",
    "STOPPING=1\\nSTATUS=bye",
]
STATUS = ["STATUS=", "STATUS=a", "STATUS=a=b=c", "STATUS= a ", "STATUS=tab\\there", "STATUS=esc\\x1b[31mred", "STATUS=bell\\x07"]
STATUS += [
    "STATUS=\\xff\\nREADY=1",
    "STATUS=\\xc3\\xa9\\xf0\\x9f\\x98\\x80",
    "STATUS=\\xc0\\xaf",
    "STATUS=\\xed\\xa0\\x80",
    "STATUS=a\\nSTATUS=b",
]
STATUS += ["status=a", "STATUS=a\\\\nb", "STATUS=a\\\\\\nb", "STATUS=a\\\\", "STATUS=a\\0", "STATUS=<z*4089>", "STATUS=<z*4090>"]
STATUS += ["READY=1\\nX=<z*5000>", 'STATUS="a"', "STATUS=a;b", "STATUS=a\\nERRNO=7"]
MAIN_PID = [
    f"MAINPID={KID}",
    f"MAINPID={KID}\\nREADY=1",
    "MAINPID=1",
    "MAINPID=0",
    "MAINPID=",
    "MAINPID=-5",
    "MAINPID=999999999",
    "MAINPID=0x10",
]
MAIN_PID += [
    f"MAINPID= {KID}",
    f"MAINPID={KID} ",
    f"MAINPID=+{KID}",
    f"MAINPID={KID}x",
    f"MAINPID={KID}\\nMAINPID=1",
    f"MAINPID=1\\nMAINPID={KID}",
]
MAIN_PID += ["MAINPID=4294967296", "MAINPID=x", "MAINPID=1.5", "MAINPID=2147483647"]
NUMBERS = [f"ERRNO={text}" for text in ("2", "0", "-2", "abc", "ENOENT", "4095", "4096", "", " 2", "0x2", "2x")]
NUMBERS += [f"EXTEND_TIMEOUT_USEC={text}" for text in ("2000000", "0", "-1", "abc", "", "1s")]
NUMBERS += ["BUSERROR=org.x.Y", "BUSERROR=not valid", "EXIT_STATUS=3", "EXIT_STATUS=abc", "MONOTONIC_USEC=abc", "X_OWN=1"]
WATCHDOG = [f"WATCHDOG={text}" for text in ("1", "0", "2", "", "trigger", "trigger ", "x")]
WATCHDOG += [f"WATCHDOG_USEC={text}" for text in ("5000000", "0", "-1", "abc", "", "0x4C4B40", "5s", "99999999999999999999", "1.5")]
WATCHDOG += ["WATCHDOG_USEC=5000000\\nWATCHDOG_USEC=7000000", "WATCHDOG=1\\nWATCHDOG=trigger"]
ACCESS = [f"NOTIFYACCESS={text}" for text in ("none", "main", "all", "bogus", "")]
STORE = [
    "FDSTORE=1+1",
    "FDSTORE=1+2",
    "FDSTORE=1",
    "FDSTORE=0+1",
    "FDSTORE=1\\nFDNAME=one+1",
    "FDSTORE=1\\nFDNAME=a:b+1",
    "FDSTORE=1\\nFDNAME=+1",
]
STORE += [
    "FDSTORE=1\\nFDNAME=<n*255>+1",
    "FDSTORE=1\\nFDNAME=<n*256>+1",
    "FDSTORE=1\\nFDNAME=a b+1",
    "FDSTORE=1\\nFDPOLL=0+1",
]
STORE += ["FDSTOREREMOVE=1", "FDSTOREREMOVE=1\\nFDNAME=one", "STATUS=a+1", "FDSTORE=1\\nREADY=1+1", "FDSTORE=1+6"]
BARRIER = ["BARRIER=1", "BARRIER=1+1", "BARRIER=1+2", "BARRIER=1\\nSTATUS=a+1", "STATUS=a\\nBARRIER=1+1", "BARRIER=0+1", "BARRIER=2"]
EVERY = (*READY, *STATES, *STATUS, *MAIN_PID, *NUMBERS, *WATCHDOG, *ACCESS, *STORE, *BARRIER)
BY_CHILD = ["READY=1", "STATUS=a", f"MAINPID={KID}", "WATCHDOG=trigger", "WATCHDOG=1", "STOPPING=1", "RELOADING=1", "ERRNO=3"]
BY_CHILD += ["FDSTORE=1+1", "NOTIFYACCESS=main", "BARRIER=1+1"]


def rows() -> dict[str, Scenario]:
    """Every row, by who says what when: "running main all READY=1"."""
    said = [(phase, "main", "all", text) for phase, text in product(PHASES, EVERY)]
    said += [(phase, "child", access, text) for phase, access, text in product(PHASES, ACCESSES, BY_CHILD)]
    return {" ".join(row): _scenario(number, *row) for number, row in enumerate(said)}


def payload(text: str) -> tuple[bytes, int]:
    """The bytes of a message, and how many descriptors go with it."""
    body, plus, number = text.rpartition("+")
    if not plus or not number.isdigit():
        body, number = text, "0"
    body = REPEATED.sub(lambda found: found[1] * int(found[2]), body)
    return body.encode().decode("unicode_escape").encode("latin-1"), int(number)


def told(status_text: str) -> str:
    """A status text as the answers have it: what repeats itself for long is told as in a message."""
    return json.dumps(re.sub(r"(.)\1{99,}", lambda found: f"<{found[1]}*{len(found[0])}>", status_text))


def _scenario(number: int, phase: str, sender: str, access: str, text: str) -> Scenario:
    data, descriptors = payload(text)
    ready = "READY=1,STATUS=initial " if phase == "running" else ""
    says = f"{'child-' if sender == 'child' else ''}says:{data.hex()}:{descriptors}"
    service: Json = {"type": "notify", "notify_access": access, "file_descriptor_store_max": 4, "limit_core": 0}
    service["exec_start"] = f"@talk main kid {ready}{says} barrier block"
    if text.startswith("WATCHDOG"):
        service["watchdog_sec"] = "10s"
    is_deadly = is_trigger(text) and (sender == "main" or access == "all")
    return Scenario(f"said/{number}", ["start a &", "wait a failed" if is_deadly else "line a barrier"], {"a": {"service": service}})


def is_trigger(text: str) -> bool:
    return text.partition("\\n")[0] == "WATCHDOG=trigger"


def answer(play: Play) -> Json:
    """What there is to see after a row, in one line."""
    seen = play.details("a")
    main, kids = seen.pop("main_pid"), [line.split()[2:] for line in play.lines() if line.startswith("a kid ")]
    named = {int(pid): name for pid, name in zip(kids[0], ("original", "child"), strict=True)} if kids else {}
    seen["main"] = named.get(main, "another") if main else "none"
    status = told(seen.pop("status_text"))
    return {"seen": " ".join([*map(str, seen.values()), status]), **({"late": True} if play.is_late else {})}
