"""Who may ask, what is believed, and what a request or a unit file can never reach.

The rules are the design's ("Control API", "Commands"): the socket belongs to its owner; a stranger is refused by the kernel's word
on who he is, not by the file mode alone; a found `units` or `.supd`, and a unit file that root would run, count only if nobody
else can write them; nothing reaches a shell or an attribute by name.
"""

import http.client
import json
import os
import stat
import subprocess
import sys
import urllib.parse
from typing import NamedTuple

import pytest

from tests.system.conftest import StartSupd
from tests.system.supd import Supd
from tests.system.users import NOBODY, OTHER, command_as

_SLEEPER = '[service]\nexec_start = "/bin/sleep infinity"\n'

_ASK = """
import socket, sys
sock = socket.socket(socket.AF_UNIX)
sock.settimeout(20)
sock.connect(sys.argv[1])
answer = b""
try:
    sock.sendall(b"GET /v1/units HTTP/1.0\\r\\n\\r\\n")
    while part := sock.recv(65536):
        answer += part
except ConnectionError:
    pass  # closed without an answer: refused as well
sys.stdout.buffer.write(answer)
"""


def _ask_as(uid: int, supd: Supd) -> str:
    """The raw answer to `GET /v1/units` when that user asks."""
    command = command_as(uid, [sys.executable, "-c", _ASK, supd.socket_path])
    return subprocess.run(command, cwd="/", capture_output=True, text=True, check=True).stdout


def _open_the_way(supd: Supd) -> None:
    """Let the file modes stop nobody, so that only supd itself can."""
    os.chmod(os.path.dirname(supd.socket_path), 0o755)
    os.chmod(supd.socket_path, 0o666)


# -- the socket --------------------------------------------------------------------------------------------------------


def test_the_socket_is_for_its_owner_alone(start_supd: StartSupd) -> None:
    supd = start_supd({"a": _SLEEPER})
    status = os.stat(supd.socket_path)
    assert stat.S_ISSOCK(status.st_mode)
    assert stat.S_IMODE(status.st_mode) == 0o600
    assert status.st_uid == os.getuid()


def test_the_socket_group_may_ask_when_it_is_given(make_supd: StartSupd, as_root: None) -> None:
    supd = make_supd({"a": _SLEEPER})
    supd.start("--units", "units", "--socket-group", "nogroup")
    status = os.stat(supd.socket_path)
    assert (stat.S_IMODE(status.st_mode), status.st_gid) == (0o660, NOBODY)
    os.chmod(os.path.dirname(supd.socket_path), 0o755)
    assert _ask_as(NOBODY, supd).split(" ")[1] == "200"


def test_a_foreign_user_is_refused_even_where_the_file_mode_lets_him_in(start_supd: StartSupd, as_root: None) -> None:
    supd = start_supd({"a": _SLEEPER})
    _open_the_way(supd)
    answer = _ask_as(NOBODY, supd)
    assert '"a"' not in answer
    assert not answer or answer.split(" ")[1] == "403"
    assert str(NOBODY) in supd.said(), "a refusal is logged with the peer's uid"


def test_root_and_the_owner_are_answered_and_a_third_is_not(start_supd: StartSupd, as_root: None) -> None:
    supd = start_supd({"a": _SLEEPER}, uid=NOBODY)
    _open_the_way(supd)
    assert _ask_as(NOBODY, supd).split(" ")[1] == "200"
    assert _ask_as(0, supd).split(" ")[1] == "200"
    assert '"a"' not in _ask_as(OTHER, supd)


def test_supctl_of_a_foreign_user_changes_nothing_and_says_so(start_supd: StartSupd, as_root: None) -> None:
    supd = start_supd({"a": _SLEEPER})
    _open_the_way(supd)
    before = supd.wait_until("a", "running")
    said = supd.supctl("stop", "a", uid=NOBODY, expect=None)
    assert said.returncode not in (0, 2)
    assert said.stderr
    assert supd.show("a")["main_pid"] == before["main_pid"]


# -- what is found is believed only if nobody else could have put it there ---------------------------------------------


class Spoiled(NamedTuple):
    """Who owns a path of the project, and who may write it, when somebody has been careless."""

    path: str
    uid: int
    gid: int
    mode: int

    def apply(self, supd: Supd) -> None:
        os.chown(supd.path(self.path), self.uid, self.gid)
        os.chmod(supd.path(self.path), self.mode)


# In a project of NOBODY:
_FOUND = {
    "units belongs to another user": Spoiled("units", OTHER, OTHER, 0o755),
    "units is writable by everybody": Spoiled("units", NOBODY, NOBODY, 0o777),
    "units is writable by another group": Spoiled("units", NOBODY, OTHER, 0o775),
    "the project is writable by everybody": Spoiled(".", NOBODY, NOBODY, 0o777),
    "the project belongs to another user": Spoiled(".", OTHER, OTHER, 0o755),
}


@pytest.mark.parametrize("spoiled", _FOUND.values(), ids=_FOUND.keys())
def test_supd_does_not_run_units_that_another_could_have_written(make_supd: StartSupd, as_root: None, spoiled: Spoiled) -> None:
    supd = make_supd({"a": '[service]\nexec_start = "/bin/touch ran"\n'}, uid=NOBODY)
    spoiled.apply(supd)
    said = supd.run("supd", uid=NOBODY, within_s=30.0)
    assert said.returncode != 0
    assert "units" in said.stderr + said.stdout
    assert not os.path.exists(supd.path("ran"))


def test_supctl_does_not_ask_a_supd_that_another_user_left_in_the_way(make_supd: StartSupd, as_root: None) -> None:
    supd = make_supd({"a": _SLEEPER}, uid=NOBODY)
    supd.start()
    _open_the_way(supd)
    said = supd.run("supctl", "list", uid=OTHER)
    assert said.returncode == 69
    assert "a " not in said.stdout


def test_supctl_as_root_never_looks_for_a_socket_upwards(start_supd: StartSupd, as_root: None) -> None:
    supd = start_supd({"a": _SLEEPER})
    said = supd.run("supctl", "list")
    assert said.returncode == 69
    assert supd.supctl("list").stdout


# In a project of root:
_UNIT_FILES = {
    "the file belongs to another user": Spoiled("units/bad.toml", NOBODY, NOBODY, 0o644),
    "the file is writable by everybody": Spoiled("units/bad.toml", 0, 0, 0o666),
    "the file is writable by another group": Spoiled("units/bad.toml", 0, NOBODY, 0o664),
}


@pytest.mark.parametrize("spoiled", _UNIT_FILES.values(), ids=_UNIT_FILES.keys())
def test_root_refuses_a_unit_file_that_another_could_have_written(make_supd: StartSupd, as_root: None, spoiled: Spoiled) -> None:
    supd = make_supd({"good": _SLEEPER, "bad": _SLEEPER})
    spoiled.apply(supd)
    said = supd.run("supd", "--check", "--units", "units")
    assert said.returncode == 1
    assert "bad.toml" in said.stdout + said.stderr
    assert "good.toml" not in said.stdout + said.stderr


def test_root_refuses_a_unit_directory_that_everybody_can_write(make_supd: StartSupd, as_root: None) -> None:
    supd = make_supd({"a": _SLEEPER})
    Spoiled("units", 0, 0, 0o777).apply(supd)
    said = supd.run("supd", "--check", "--units", "units")
    assert said.returncode == 1
    assert "units" in said.stdout + said.stderr


# -- no shell ----------------------------------------------------------------------------------------------------------

_PRINT_ARGUMENTS = "import json, sys; print(json.dumps(sys.argv[1:]))"

_WORDS = [
    "; touch pwned", "&& touch pwned", "| touch pwned", "`touch pwned`", "x$(touch pwned)", "$$(touch pwned)", "> pwned", "< /etc/passwd",
    "*", "?", "[a-z]", "~", "{a,b}", "!!", "#", "two  words", "a\nb", "'", '"', "\\", "", "-c", "é\U0001f600",
]  # fmt: skip


def _task(words: list[str], unquoted: str = "", more: str = "") -> str:
    """A task that prints its arguments as JSON: `words`, double-quoted for the command line, then `unquoted` as it stands."""

    def quoted(word: str) -> str:
        escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("%", "%%")
        return f'"{escaped}"'

    line = " ".join([sys.executable, "-c", quoted(_PRINT_ARGUMENTS), *map(quoted, words), unquoted])
    return f"[task]\nexec_start = {json.dumps(line, ensure_ascii=False)}\n{more}"


def test_what_means_something_to_a_shell_arrives_as_it_stands(start_supd: StartSupd) -> None:
    supd = start_supd({"echo": _task(_WORDS)})
    supd.supctl("start", "echo")
    # `$$` is a literal dollar (systemd.service(5)); everything else is taken as it stands.
    assert json.loads(supd.log("echo")) == [word.replace("$$", "$") for word in _WORDS]
    assert not os.path.exists(supd.path("pwned"))


def test_a_variables_value_is_one_word_or_split_and_never_a_command(start_supd: StartSupd) -> None:
    value = "; touch pwned $(touch pwned) `touch pwned` $HOME %n"
    environment = f"environment = {{ WORDS = {json.dumps(value.replace('%', '%%'))} }}\n"
    supd = start_supd({"echo": _task([], "${WORDS} $WORDS", environment)})
    supd.supctl("start", "echo")
    assert json.loads(supd.log("echo")) == [value, *value.split()]
    assert not os.path.exists(supd.path("pwned"))


def test_a_word_that_begins_with_a_dollar_is_a_variable_whatever_follows(start_supd: StartSupd) -> None:
    """As in systemd: there is no variable named "(touch pwned)", so the word stands for no words at all."""
    supd = start_supd({"echo": _task(["a", "$(touch pwned)", "b"])})
    supd.supctl("start", "echo")
    assert json.loads(supd.log("echo")) == ["a", "b"]
    assert not os.path.exists(supd.path("pwned"))


@pytest.mark.parametrize("instance", ["; touch pwned", "$(touch pwned)", "../../pwned", "a/b", "a b", "\x1b[31m", "'", "%n", "*"])
def test_an_instance_name_outside_systemds_characters_is_refused(start_supd: StartSupd, instance: str) -> None:
    supd = start_supd({"echo@": _task([], "%i")})
    said = supd.supctl("start", f"echo@{instance}", expect=None)
    assert said.returncode not in (0, 69)
    assert "Traceback" not in said.stderr
    assert "\x1b" not in said.stderr, "what is quoted from a request cannot act on the terminal"
    assert supd.get("/v1/units") == []
    assert not os.path.exists(supd.path("pwned"))


def test_an_escaped_instance_name_arrives_unescaped_and_as_one_word(start_supd: StartSupd) -> None:
    supd = start_supd({"echo@": _task([], "x%I")})
    supd.supctl("start", "echo@\\x3b\\x20touch\\x20pwned")
    assert json.loads(supd.log("echo@\\x3b\\x20touch\\x20pwned")) == ["x; touch pwned"]
    assert not os.path.exists(supd.path("pwned"))


# -- no attribute by name ----------------------------------------------------------------------------------------------

_NAMES = [
    "__class__", "__init__", "__dict__", "__class__.__mro__", "show.__func__", "show.__globals__", "shutdown.__call__",
    "request_job", "_engine", "self", "os.system", "__import__('os')", "{0.__class__}", "%s%s%s",
    "../status", "..%2fstatus", "a\x00b", "\u202e", "A" * 4000,
]  # fmt: skip
_BODIES: list[object] = [
    [], 1, "start", {"mode": {"__class__": 1}}, {"mode": ["replace"]}, {"mode": None, "__class__": "x"}, {"signal": -1}, {"signal": 10**30},
]  # fmt: skip


@pytest.fixture
def asked(start_supd: StartSupd) -> Supd:
    supd = start_supd({"a": _SLEEPER})
    supd.wait_until("a", "running")
    return supd


def _refused(supd: Supd, method: str, path: str, body: object = None) -> None:
    """A 4xx with an error in words; or, where HTTP itself cannot carry the path, the client's own refusal."""
    try:
        status, answer = supd.request(method, path, body)
    except http.client.InvalidURL:
        return
    assert 400 <= status < 500, f"{method} {path[:80]!r} {body!r}: {status} {answer}"
    text = json.dumps(answer)
    for leak in ("Traceback", "object at 0x", "<class", "<bound method", "<function"):
        assert leak not in text


def _unharmed(supd: Supd, before: dict[str, object], version: dict[str, object]) -> None:
    assert supd.get("/v1/version") == version, "the manager is the same"
    after = supd.show("a")
    assert (after["main_pid"], after["active_state"]) == (before["main_pid"], "active")


def test_no_path_reaches_an_attribute_by_name(asked: Supd) -> None:
    before, version = asked.show("a"), asked.get("/v1/version")
    for name in _NAMES:
        encoded = urllib.parse.quote(name, safe="")
        _refused(asked, "GET", f"/v1/{encoded}")
        _refused(asked, "GET", f"/v1/units/a/{encoded}")
        _refused(asked, "POST", f"/v1/units/a/{encoded}", {})
        _refused(asked, "POST", f"/v1/units/{encoded}/start", {})
        _refused(asked, "DELETE", f"/v1/jobs/{encoded}")
        _refused(asked, "GET", f"/v1/units/{encoded}")
    _unharmed(asked, before, version)


def test_no_value_in_a_body_or_a_query_reaches_an_attribute_by_name(asked: Supd) -> None:
    before, version = asked.show("a"), asked.get("/v1/version")
    for name in _NAMES:
        _refused(asked, "POST", "/v1/units/a/start", {"mode": name})
        _refused(asked, "POST", "/v1/units/a/kill", {"signal": name})
        _refused(asked, "POST", "/v1/units/a/kill", {"signal": 15, "whom": name})
    for body in _BODIES:
        _refused(asked, "POST", "/v1/units/a/kill", body)
    _unharmed(asked, before, version)


_MALFORMED = [
    ("a body that is no JSON", b"POST /v1/units/a/stop HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n{{{{{"),
    ("a pickle", b"POST /v1/units/a/stop HTTP/1.1\r\nHost: x\r\nContent-Length: 16\r\n\r\n\x80\x04cposix\nsystem\n."),
    ("a body nested without end", b"POST /v1/units/a/stop HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + b"[" * 100_000),
    ("no HTTP at all", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20),
    ("two lengths", b"POST /v1/units/a/stop HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}}"),
    ("a negative length", b"POST /v1/units/a/stop HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n{}"),
    ("a header without end", b"GET /v1/units HTTP/1.1\r\nX: " + b"a" * 300_000),
]


@pytest.mark.parametrize("raw", [row[1] for row in _MALFORMED], ids=[row[0] for row in _MALFORMED])
def test_a_malformed_request_is_refused_and_harms_nothing(asked: Supd, raw: bytes) -> None:
    before, version = asked.show("a"), asked.get("/v1/version")
    answer = asked.send_raw(raw)
    assert not answer or answer.split(b" ")[1].startswith(b"4"), answer[:200]
    assert b"Traceback" not in answer
    _unharmed(asked, before, version)
