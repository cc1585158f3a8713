"""Roles held against real users: what each may see and do through a real supd, when roles change, and what the audit trail says.

NOBODY and OTHER are processes with another uid; nothing of supd is asked but its socket, its files and what it prints.
"""

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.system.arrival import Deadline
from tests.system.conftest import StartSupd
from tests.system.supd import Supd
from tests.system.users import NOBODY, OTHER, command_as

Json = dict[str, Any]

pytestmark = pytest.mark.usefixtures("as_root")

_SLEEPER = '[service]\nexec_start = "/bin/sleep infinity"\n'
_TALKER = "[service]\nexec_start = \"/bin/sh -c 'echo hello; exec sleep infinity'\"\n"
_UNITS = {
    "web": _TALKER,
    "db": f'[unit]\nbefore = ["web"]\n{_SLEEPER}',
    "off": f"[unit]\nenabled = false\n{_SLEEPER}",
    "worker@": f"[unit]\ninstances = 1\n{_SLEEPER}",
}

_ROLES = f"""
[[role]]
level = "operate"
users = {NOBODY}
units = ["web", "worker@*"]

[[role]]
level = "view"
groups = [{OTHER}]
"""

_ASK = """
import json, socket, sys
path, method, target, body = sys.argv[1:]
sock = socket.socket(socket.AF_UNIX)
sock.settimeout(20)
sock.connect(path)
answer = b""
try:
    sock.sendall(f"{method} {target} HTTP/1.0\\r\\nContent-Length: {len(body)}\\r\\n\\r\\n{body}".encode())
    while part := sock.recv(65536):
        answer += part
except ConnectionError:
    answer += sock.recv(65536) if not answer else b""  # refused before it was said; the refusal is there to be read
head, _, content = answer.partition(b"\\r\\n\\r\\n")
sys.stdout.write(json.dumps([int(head.split()[1]), content.decode()]))
"""


_LISTEN = """
import socket, sys
sock = socket.socket(socket.AF_UNIX)
sock.settimeout(60)
sock.connect(sys.argv[1])
sock.sendall(b"GET /v1/events?last_id=none-0 HTTP/1.0\\r\\n\\r\\n")
for line in sock.makefile():
    if line.startswith("data: "):
        sys.stdout.write(line[6:])
        sys.stdout.flush()
"""


@contextmanager
def listening(supd: Supd, uid: int) -> Iterator[Iterator[str]]:
    """The event stream as that user hears it, from a snapshot on; one JSON text each."""
    command = command_as(uid, [sys.executable, "-I", "-c", _LISTEN, supd.socket_path])
    with subprocess.Popen(command, cwd="/", stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout is not None
        try:
            yield iter(reader.stdout)
        finally:
            reader.terminate()


def ask(supd: Supd, uid: int, method: str, target: str, body: object = None) -> tuple[int, Any]:
    """One request as that user: the status and the decoded answer."""
    text = "" if body is None else json.dumps(body)
    command = command_as(uid, [sys.executable, "-I", "-c", _ASK, supd.socket_path, method, target, text])
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    status, content = json.loads(done.stdout)
    return status, json.loads(content) if content.startswith(("{", "[")) else content


def supctl(supd: Supd, uid: int, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """supctl as that user, who names the socket: another's is believed only then."""
    return supd.run("supctl", *arguments[:1], "--socket", supd.socket_path, *arguments[1:], uid=uid)


def trail(supd: Supd) -> list[Json]:
    with open(supd.path(".supd", "audit.log"), encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def socket_mode(supd: Supd) -> int:
    return stat.S_IMODE(os.stat(supd.socket_path).st_mode)


@pytest.fixture
def supd(make_supd: StartSupd) -> Supd:
    """A supd of root with the roles above, everything up."""
    made = make_supd(_UNITS, {".supd/supd.toml": _ROLES})
    made.start()
    for unit in ("web", "db", "worker@1"):
        made.wait_until(unit, "running")
    return made


# user, method, path, body, status
_ASKED: list[tuple[str, int, str, str, object, int]] = [
    ("the operator sees his unit", NOBODY, "GET", "/v1/units/web", None, 200),
    ("and its log", NOBODY, "GET", "/v1/units/web/log", None, 200),
    ("and its files", NOBODY, "GET", "/v1/units/web/definition", None, 200),
    ("and no other unit", NOBODY, "GET", "/v1/units/db", None, 403),
    ("nor its log", NOBODY, "GET", "/v1/units/db/log", None, 403),
    ("nor why it is down", NOBODY, "GET", "/v1/units/off/why", None, 403),
    ("nor whether there is one", NOBODY, "GET", "/v1/units/nosuch", None, 403),
    ("a list that names another is refused", NOBODY, "GET", "/v1/units?pattern=db", None, 403),
    ("an unknown instance of his template is made", NOBODY, "GET", "/v1/units/worker@7", None, 200),
    ("he restarts his unit", NOBODY, "POST", "/v1/units/web/restart", {}, 200),
    ("he stops an instance", NOBODY, "POST", "/v1/units/worker@1/stop", {}, 200),
    ("he starts no other unit", NOBODY, "POST", "/v1/units/off/start", {}, 403),
    ("he kills no other unit", NOBODY, "POST", "/v1/units/db/kill", {"signal": 9}, 403),
    ("he masks no other unit", NOBODY, "POST", "/v1/units/db/mask", {}, 403),
    ("he flushes nobody's jobs", NOBODY, "POST", "/v1/units/web/start", {"mode": "flush"}, 403),
    ("he isolates nothing, for that stops others", NOBODY, "POST", "/v1/units/web/isolate", {}, 403),
    ("he scales what his pattern covers", NOBODY, "POST", "/v1/units/worker/scale", {"instances": 1}, 200),
    ("he scales nothing else", NOBODY, "POST", "/v1/units/db/scale", {"instances": 1}, 403),
    ("he does not reload", NOBODY, "POST", "/v1/reload-units", {}, 403),
    ("he does not shut down", NOBODY, "POST", "/v1/shutdown", {}, 403),
    ("the viewer sees every unit", OTHER, "GET", "/v1/units/db", None, 200),
    ("and supd", OTHER, "GET", "/v1/status", None, 200),
    ("an unknown unit is unknown to him", OTHER, "GET", "/v1/units/nosuch", None, 404),
    ("he changes nothing", OTHER, "POST", "/v1/units/web/stop", {}, 403),
    ("not even a failure", OTHER, "POST", "/v1/units/web/reset-failed", {}, 403),
    ("a stranger sees nothing", 4242, "GET", "/v1/version", None, 403),
    ("root may everything", 0, "POST", "/v1/units/off/start", {}, 200),
]  # fmt: skip


def test_each_user_may_what_his_roles_say(supd: Supd) -> None:
    pids = {unit: supd.show(unit)["main_pid"] for unit in ("db", "off")}
    answered = {name: ask(supd, uid, method, target, body) for name, uid, method, target, body, _ in _ASKED}
    assert {name: answer[0] for name, answer in answered.items()} == {row[0]: row[5] for row in _ASKED}
    for name, uid, _, _, _, status in _ASKED:
        if status == 403:
            error = answered[name][1]["error"]
            assert error["code"] == "forbidden", name
            assert f"uid {uid} " in supd.said(), name
    assert supd.show("db")["main_pid"] == pids["db"]


def test_a_refusal_is_the_same_whether_the_unit_exists_or_not(supd: Supd) -> None:
    texts = [json.dumps(ask(supd, NOBODY, "GET", f"/v1/units/{name}")).replace(name, "X") for name in ("db", "nosuch")]
    assert texts[0] == texts[1]


def test_lists_and_figures_show_only_what_the_roles_reach(supd: Supd) -> None:
    _, units = ask(supd, NOBODY, "GET", "/v1/units")
    assert [unit["id"] for unit in units] == ["web", "worker@1"]
    assert ask(supd, NOBODY, "GET", "/v1/units?pattern=*&state=running")[1] == units
    _, status = ask(supd, NOBODY, "GET", "/v1/status")
    assert status["units"] == {"active": 2}
    _, figures = ask(supd, NOBODY, "GET", "/metrics")
    assert 'unit="web"' in figures
    assert 'unit="db"' not in figures
    _, related = ask(supd, NOBODY, "GET", "/v1/units/web/relations")
    assert "db" not in json.dumps(related)
    assert "db" in json.dumps(supd.get("/v1/units/web/relations"))
    _, events = ask(supd, NOBODY, "GET", "/v1/events/recent?count=10000")
    assert {event["unit"] for event in events} == {"web", "worker@1"}
    assert [unit["id"] for unit in ask(supd, OTHER, "GET", "/v1/units")[1]] == [unit["id"] for unit in supd.get("/v1/units")]


def test_the_event_stream_of_an_operator_tells_of_his_units_alone(supd: Supd) -> None:
    with listening(supd, NOBODY) as lines:
        snapshot = json.loads(next(lines))
        assert [unit["id"] for unit in snapshot["snapshot"]] == ["web", "worker@1"]
        supd.supctl("restart", "db")  # another's first: if it were told, it would come first
        supd.supctl("restart", "web")
        told: list[Json] = []
        while not told or told[-1]["kind"] != "job-finished":
            told.append(json.loads(next(lines)))
    assert {event["unit"] for event in told} == {"web"}


def test_supctl_of_an_operator_works_as_everywhere(supd: Supd) -> None:
    listed = supctl(supd, NOBODY, "list")
    assert listed.returncode == 0, listed.stderr
    assert "web" in listed.stdout
    assert "db" not in listed.stdout
    assert supctl(supd, NOBODY, "restart", "web").returncode == 0
    assert supctl(supd, NOBODY, "logs", "web", "-o", "cat").stdout.startswith("hello\n")
    chosen = supctl(supd, NOBODY, "logs", "web", "--since", "-1h", "--grep", "^hell", "--run", "0", "-o", "cat")
    assert (chosen.stdout, chosen.stderr) == ("hello\n", "")  # he may not open the files: all of it comes through the API
    own = supctl(supd, NOBODY, "logs", "supd")
    assert own.returncode != 0
    assert "needs the level view there; yours is none" in own.stderr
    refused = supctl(supd, NOBODY, "stop", "db")
    assert refused.returncode not in (0, 69)
    assert "your roles do not reach" in refused.stderr
    assert "supd.toml" in refused.stderr
    assert supctl(supd, OTHER, "stop", "web").returncode not in (0, 69)
    assert supctl(supd, OTHER, "status", "web").returncode == 0


def test_a_supd_of_another_user_is_asked_only_when_its_socket_is_named(make_supd: StartSupd) -> None:
    made = make_supd({"web": _SLEEPER}, {".supd/supd.toml": _ROLES}, uid=NOBODY)
    made.start()
    made.wait_until("web", "running")
    assert made.supctl("list", uid=OTHER, expect=69).stdout == ""
    assert supctl(made, OTHER, "list").returncode == 0


def test_the_owner_finds_his_supd_although_its_socket_is_open_to_all(make_supd: StartSupd) -> None:
    made = make_supd({"web": _SLEEPER}, {".supd/supd.toml": _ROLES}, uid=NOBODY)
    made.start()
    made.wait_until("web", "running")
    assert socket_mode(made) == 0o666
    assert "web" in made.run("supctl", "list", uid=NOBODY).stdout


# -- the audit trail ---------------------------------------------------------------------------------------------------


def test_every_change_and_every_refusal_is_in_the_trail(supd: Supd) -> None:
    ask(supd, NOBODY, "GET", "/v1/units/web")
    ask(supd, NOBODY, "POST", "/v1/units/web/kill", {"signal": 1, "whom": "main"})
    ask(supd, NOBODY, "POST", "/v1/units/db/stop", {})
    ask(supd, OTHER, "POST", "/v1/shutdown", {})
    ask(supd, 4242, "GET", "/v1/version")
    supd.supctl("start", "off")
    supd.request("POST", "/v1/units/nosuch/start", {})
    supd.request("POST", "/v1/units/web/start", {"mode": 7})
    supd.stop()
    kept = ("uid", "gid", "user", "method", "path", "unit", "verb", "result")
    assert [tuple(entry[key] for key in kept) for entry in trail(supd)] == [
        (NOBODY, NOBODY, "nobody", "POST", "/v1/units/web/kill", "web", "kill", "done"),
        (NOBODY, NOBODY, "nobody", "POST", "/v1/units/db/stop", "db", "stop", "forbidden"),
        (OTHER, OTHER, "", "POST", "/v1/shutdown", "", "shutdown", "forbidden"),
        (4242, 4242, "", "", "", "", "connect", "forbidden"),
        (0, 0, "root", "POST", "/v1/units/off/start", "off", "start", "done"),
        (0, 0, "root", "POST", "/v1/units/nosuch/start", "nosuch", "start", "no-such-unit"),
        (0, 0, "root", "POST", "/v1/units/web/start", "web", "start", "bad-request"),
    ]
    first = trail(supd)[0]
    assert first["body"] == {"signal": 1, "whom": "main"}
    assert first["pid"] > 1
    assert 0 < os.stat(supd.path(".supd", "audit.log")).st_mtime - first["time_s"] < 600
    assert stat.S_IMODE(os.stat(supd.path(".supd", "audit.log")).st_mode) == 0o600


def test_a_stranger_cannot_flood_the_trail(supd: Supd) -> None:
    program = f"""
import socket
for _ in range(60):
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(20)
    sock.connect({supd.socket_path!r})
    while sock.recv(65536):
        pass
"""
    # He says nothing and only hears the refusal; each waits for the server's end of the connection.
    subprocess.run(command_as(4242, [sys.executable, "-I", "-c", program]), cwd="/", check=True, timeout=200)
    supd.supctl("restart", "web")
    supd.stop()
    assert [entry["uid"] for entry in trail(supd)] == [4242] * 20 + [0]
    assert supd.said().count("refused uid 4242") == 20


def test_a_trail_that_cannot_be_written_fails_no_request_and_is_noted(make_supd: StartSupd) -> None:
    made = make_supd({"a": _SLEEPER}, {".supd/audit.log/in-the-way": ""})
    made.start()
    made.wait_until("a", "running")
    made.supctl("restart", "a")
    deadline = Deadline(20)
    while not any("audit.log: Is a directory" in note for note in made.get("/v1/status")["notes"]):
        assert deadline.remaining_s(), made.get("/v1/status")["notes"]
    assert "audit.log" in made.supctl("status").stdout


# -- roles come and go -------------------------------------------------------------------------------------------------


def test_without_roles_nothing_changes_and_with_them_the_socket_opens_and_closes_again(start_supd: StartSupd) -> None:
    supd = start_supd({"a": _SLEEPER})
    assert socket_mode(supd) == 0o600
    supd.write(".supd/supd.toml", f'[[role]]\nlevel = "view"\nusers = {NOBODY}\n')
    assert socket_mode(supd) == 0o600, "it is read at a start and at a reload only"
    supd.supctl("reload-units")
    assert socket_mode(supd) == 0o666
    assert ask(supd, NOBODY, "GET", "/v1/units/a")[0] == 200
    os.unlink(supd.path(".supd", "supd.toml"))
    supd.supctl("reload-units")
    assert socket_mode(supd) == 0o600


def test_errors_change_nothing_and_are_shown(supd: Supd) -> None:
    supd.write(".supd/supd.toml", '[[role]]\nlevel = "opperate"\nusers = 1\n')
    said = supd.supctl("reload-units", expect=1)
    line = 'supd.toml:2: role.level: expected one of view, operate, admin, got "opperate" (did you mean "operate"?)'
    assert line in said.stderr
    assert line in supd.said()
    assert line in supd.supctl("status").stdout
    assert ask(supd, NOBODY, "GET", "/v1/units/web")[0] == 200, "the roles of before are in force"
    assert line in supd.run("supd", "--check", "--units", "units").stdout
    supd.write(".supd/supd.toml", _ROLES)
    supd.supctl("reload-units")
    assert supd.get("/v1/status")["load_errors"] == []


def test_errors_at_a_start_leave_the_owner_alone_in_charge(start_supd: StartSupd) -> None:
    supd = start_supd({"a": _SLEEPER}, {".supd/supd.toml": f'{_ROLES}\n[[role]]\nlevel = "view"\n'})
    assert socket_mode(supd) == 0o600
    assert [error["message"] for error in supd.get("/v1/status")["load_errors"]] == ["it is for nobody"]
    os.chmod(supd.socket_path, 0o666)
    assert ask(supd, NOBODY, "GET", "/v1/units/a")[0] == 403


def test_a_role_that_is_taken_away_ends_the_streams_it_allowed(supd: Supd) -> None:
    with listening(supd, OTHER) as lines, listening(supd, NOBODY) as untouched:
        assert next(lines)
        assert next(untouched)
        supd.write(".supd/supd.toml", _ROLES.replace(f"[{OTHER}]", "[1]"))
        supd.supctl("reload-units")
        assert [line for line in lines if "shutdown" in line] == [], "it ended, and not because supd did"
        supd.supctl("restart", "web")
        assert "web" in next(untouched)
    assert ask(supd, OTHER, "GET", "/v1/units")[0] == 403


def test_a_crash_of_the_manager_changes_no_role(supd: Supd) -> None:
    supd.write(".supd/supd.toml", "[[role]]\n")
    manager = int(supd.get("/v1/version")["manager_pid"])
    pid = supd.show("web")["main_pid"]
    os.kill(manager, signal.SIGKILL)
    assert ask(supd, NOBODY, "GET", "/v1/units/web")[1]["main_pid"] == pid
    assert ask(supd, NOBODY, "GET", "/v1/units/db")[0] == 403
    assert ask(supd, 4242, "GET", "/v1/version")[0] == 403
    assert socket_mode(supd) == 0o666
    assert int(supd.get("/v1/version")["manager_pid"]) != manager


def test_strangers_cannot_take_every_connection(supd: Supd) -> None:
    program = f"""
import socket, sys
held = []
for _ in range(300):
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(20)
    sock.connect({supd.socket_path!r})
    held.append(sock)
print("held", flush=True)
sys.stdin.read()
"""
    command = command_as(NOBODY, [sys.executable, "-I", "-c", program])
    with subprocess.Popen(command, cwd="/", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert holder.stdout.readline() == "held\n"
        assert supd.get("/v1/version")
        assert ask(supd, OTHER, "GET", "/v1/version")[0] == 200  # those that have owed a request longest give way
        holder.stdin.close()
