"""A real supd in a directory of its own, started and asked from outside as a person would.

The harness imports nothing of `supervisor`: it runs the installed `supd` and `supctl` and speaks HTTP to the control socket.
It never sleeps: `wait_for` looks at a unit whenever the event stream says that something happened. When a supd is stopped,
no process that ever came from it may be left; `stop` holds it to that.
"""

import http.client
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tests.system.arrival import Deadline, NotInTime, ends_in_time, wait_for_socket, wait_for_text
from tests.system.descent import Process, descendants, marked
from tests.system.users import PROGRAMS, command_as

Json = dict[str, Any]
Ran = subprocess.CompletedProcess[str]

_SHORT_TMP = "/tmp"  # the control socket's path must fit into sun_path, and pytest's own directories do not


class SocketConnection(http.client.HTTPConnection):
    """http.client over an AF_UNIX socket."""

    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Supd:
    """One project directory with `units/` in it, and the supd that runs there."""

    def __init__(
        self,
        units: Mapping[str, str],
        files: Mapping[str, str] | None = None,
        *,
        uid: int | None = None,
        tracking: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Write the project; nothing is started yet.

        `units`: text of units/NAME.toml by NAME. `files`: other files by path within the project. `uid`: the user it belongs
        to and runs as (root only). `tracking`: "cgroup" or "scan" to force how processes are tracked; SUPD_TRACKING in the
        tests' own environment does so for all of them.
        """
        self.directory = tempfile.mkdtemp(prefix="supd-", dir=_SHORT_TMP)
        os.chmod(self.directory, 0o755)
        self.uid = uid
        self.socket_path = os.path.join(self.directory, ".supd", "supd.sock")
        self.stderr_path = os.path.join(self.directory, "supd.stderr")
        self._mark = f"TEST_MARK={secrets.token_hex(8)}"
        self._process: subprocess.Popen[bytes] | None = None
        self._seen: set[Process] = set()
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("SUPD_", "NOTIFY_", "LISTEN_", "WATCHDOG_"))}
        if uid is not None:
            kept["HOME"] = self.directory
            kept.pop("XDG_RUNTIME_DIR", None)
        name, _, value = self._mark.partition("=")
        self.environment = {**kept, name: value, **(environment or {})}
        if tracking := tracking or os.environ.get("SUPD_TRACKING"):
            self.environment["SUPD_TRACKING"] = tracking
        os.mkdir(self.path("units"))
        for unit, text in units.items():
            self.write(f"units/{unit}.toml", text)
        for path, text in (files or {}).items():
            self.write(path, text)
        if uid is not None:
            self._give_to(uid)

    def path(self, *parts: str) -> str:
        return os.path.join(self.directory, *parts)

    def write(self, path: str, text: str) -> None:
        """Replace one file of the project as an editor does: the whole file at once."""
        full = self.path(path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full + "~", "w", encoding="utf-8") as file:
            file.write(text)
        if self.uid is not None:
            os.chown(full + "~", self.uid, self.uid)
        os.rename(full + "~", full)

    def _give_to(self, uid: int) -> None:
        for directory, _, names in os.walk(self.directory):
            os.chown(directory, uid, uid)
            for name in names:
                os.chown(os.path.join(directory, name), uid, uid)

    # -- running it ------------------------------------------------------------------------------------------------

    def start(self, *arguments: str, within_s: float = 20.0) -> None:
        """Run `supd` in the project directory and return once it accepts connections."""
        if not arguments and self.uid is None and os.getuid() == 0:
            arguments = ("--units", "units")  # root takes no `./units` that it was not given
        with open(self.stderr_path, "ab") as stderr:
            self._process = subprocess.Popen(
                command_as(self.uid, [os.path.join(PROGRAMS, "supd"), *arguments]),
                cwd=self.directory,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                start_new_session=True,
            )
        pidfd = os.pidfd_open(self._process.pid)
        try:
            wait_for_socket(self.socket_path, pidfd, within_s)
        except NotInTime as late:
            raise NotInTime(f"{late}; supd said:\n{self.said()}") from None
        finally:
            os.close(pidfd)

    @property
    def keeper_pid(self) -> int:
        assert self._process is not None, "supd was not started"
        return self._process.pid

    def manager_pid(self) -> int | None:
        """The manager as the kernel knows it, whether or not it answers yet; None while there is none."""
        with open(f"/proc/{self.keeper_pid}/task/{self.keeper_pid}/children", encoding="ascii") as file:
            children = file.read().split()
        for child in children:
            try:
                with open(f"/proc/{child}/cmdline", "rb") as command:
                    # A session of its own: not what a manager that was killed had forked, and what the kernel is about to end.
                    if b"supervisor.daemon" in command.read().split(b"\0") and os.getsid(int(child)) == int(child):
                        return int(child)
            except OSError:
                continue  # it has ended
        return None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def processes(self) -> list[Process]:
        """Everything that came from this supd and lives, the keeper and the manager not included."""
        found = set(descendants(self.keeper_pid)) if self.is_running else set()
        found.update(marked(self._mark))
        own = {self.keeper_pid}
        if self.is_running:
            own.add(int(self.get("/v1/version")["manager_pid"]))
        found = {process for process in found if process.pid not in own}
        self._seen.update(found)
        return sorted(found)

    def stop(self, within_s: float = 30.0) -> None:
        """Ask supd to stop as a person would (SIGTERM); it must leave in time, with status 0 and with no process left."""
        self.processes()
        os.kill(self.keeper_pid, signal.SIGTERM)
        status = self.wait_for_end(within_s)
        assert status == 0, f"supd left with status {status} and said:\n{self.said()}"
        self.assert_nothing_left()

    def wait_for_end(self, within_s: float = 30.0) -> int:
        """The exit status of supd, which must end by itself in time."""
        assert self._process is not None, "supd was not started"
        if self._process.poll() is None and not ends_in_time(self._process.pid, within_s):
            left = descendants(self._process.pid)
            raise NotInTime(f"supd did not end within {within_s:g} s; left: {left}; it said:\n{self.said()}")
        return self._process.wait()

    def assert_nothing_left(self) -> None:
        """No process that ever came from this supd is alive."""
        left = {process for process in self._seen if process.is_alive()} | set(marked(self._mark))
        assert not left, f"supd is gone and left processes: {sorted(left)}"

    def remove(self) -> None:
        """End whatever is left, by the pids known to be ours, and remove the project."""
        if self.is_running:
            assert self._process is not None
            own = descendants(self._process.pid)
            self._process.kill()
            self._process.wait()
            self._seen.update(own)
        for process in self._seen | set(marked(self._mark)):
            if process.is_alive():
                os.kill(process.pid, signal.SIGKILL)
        shutil.rmtree(self.directory, ignore_errors=True)

    # -- asking it -------------------------------------------------------------------------------------------------

    def supctl(self, *arguments: str, expect: int | None = 0, uid: int | None = None, within_s: float = 60.0) -> Ran:
        """Run supctl against this supd; its exit status must be `expect` (None: any)."""
        done = self.run("supctl", *arguments, uid=self.uid if uid is None else uid, within_s=within_s, SUPD_SOCKET=self.socket_path)
        assert expect is None or done.returncode == expect, (
            f"supctl {' '.join(arguments)} ended with {done.returncode}, not {expect}\nstdout:\n{done.stdout}\nstderr:\n{done.stderr}"
        )
        return done

    def run(self, program: str, *arguments: str, uid: int | None = None, within_s: float = 60.0, **environment: str) -> Ran:
        """Run `supd` or `supctl` in the project directory to its end, without a hint where the socket is."""
        return subprocess.run(
            command_as(uid, [os.path.join(PROGRAMS, program), *arguments]),
            cwd=self.directory,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=within_s,
            check=False,
        )

    def json(self, *arguments: str) -> Any:
        """What `supctl VERB ... --json` prints."""
        return json.loads(self.supctl(*arguments, "--json").stdout)

    def request(self, method: str, path: str, body: object = None, within_s: float = 30.0) -> tuple[int, Any]:
        """One request to the control API: (status, decoded body or text)."""
        connection = SocketConnection(self.socket_path, within_s)
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, {"Content-Type": "application/json"} if text else {})
            response = connection.getresponse()
            raw = response.read().decode(errors="replace")
            is_json = (response.getheader("Content-Type") or "").startswith("application/json")
            return response.status, json.loads(raw) if is_json else raw
        finally:
            connection.close()

    def send_raw(self, data: bytes, within_s: float = 30.0) -> bytes:
        """Send bytes that need not be HTTP, close our sending end, and return whatever comes back."""
        answer = b""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(within_s)
            sock.connect(self.socket_path)
            try:
                sock.sendall(data)
                sock.shutdown(socket.SHUT_WR)
                while part := sock.recv(65536):
                    answer += part
            except ConnectionError:
                pass  # closed in the middle of it: an answer too
        return answer

    def get(self, path: str) -> Any:
        status, body = self.request("GET", path)
        assert status == 200, f"GET {path}: {status} {body}"
        return body

    def show(self, unit: str) -> Json:
        """Every property of one unit."""
        shown: Json = self.get(f"/v1/units/{unit}")
        return shown

    @contextmanager
    def events(self, deadline: Deadline) -> Iterator[Iterator[Json]]:
        """The event stream from a snapshot on: the first event is always `reset`, so nothing happens unseen before it."""
        connection = SocketConnection(self.socket_path, deadline.remaining_s())
        try:
            # An id that supd cannot know: it answers with a reset, then with all that happens.
            connection.request("GET", "/v1/events", headers={"Last-Event-ID": "none-0"})
            sock = connection.sock
            response = connection.getresponse()
            assert response.status == 200, f"GET /v1/events: {response.status}"
            yield self._read_events(response, sock, deadline)
        finally:
            connection.close()

    @staticmethod
    def _read_events(response: http.client.HTTPResponse, sock: socket.socket, deadline: Deadline) -> Iterator[Json]:
        data: list[str] = []
        while True:
            if not (remaining_s := deadline.remaining_s()):
                return
            sock.settimeout(remaining_s)
            try:
                line = response.readline()
            except TimeoutError:
                return
            if not line:
                return
            text = line.decode().rstrip("\r\n")
            if text.startswith("data:"):
                data.append(text[5:].lstrip())
            elif not text and data:
                yield json.loads("\n".join(data))
                data = []

    def wait_for(self, unit: str, what: str, holds: Callable[[Json], object], within_s: float = 30.0) -> Json:
        """The unit's properties as soon as they satisfy `holds`, looked at after each event. `what` names it for the failure."""
        deadline = Deadline(within_s)
        shown: Json = {}
        while deadline.remaining_s():
            with self.events(deadline) as events:
                for _ in events:
                    status, shown = self.request("GET", f"/v1/units/{unit}")
                    if status == 200 and holds(shown):
                        return shown
        short = {key: shown.get(key) for key in ("active_state", "sub_state", "result", "main_pid", "n_restarts", "status_text")}
        raise NotInTime(f"{unit} was not {what} within {within_s:g} s; it is {short}")

    def wait_until(self, unit: str, state: str, within_s: float = 30.0) -> Json:
        """Wait for an active state or a sub state."""
        return self.wait_for(unit, state, lambda shown: state in (shown["active_state"], shown["sub_state"]), within_s)

    def wait_for_line(self, unit: str, text: str, within_s: float = 30.0) -> str:
        """Until the unit has written `text`, before or from now on; its output up to there."""
        return self.watch("logs", unit, "-f", "-o", "cat", "-n", "10000", until=text, within_s=within_s)

    def watch(self, *arguments: str, until: str, within_s: float = 30.0) -> str:
        """Run a supctl that goes on (`logs -f`, `events -f`) until it prints `until`; what it printed."""
        with subprocess.Popen(
            command_as(self.uid, [os.path.join(PROGRAMS, "supctl"), *arguments]),
            cwd=self.directory,
            env={**self.environment, "SUPD_SOCKET": self.socket_path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            try:
                return wait_for_text(process.stdout, until, within_s)
            finally:
                process.terminate()

    def log(self, unit: str) -> str:
        """Everything the unit wrote, as `supctl logs -o cat` gives it."""
        return self.supctl("logs", unit, "-o", "cat", "-n", "10000").stdout

    # -- when a test fails -----------------------------------------------------------------------------------------

    def said(self) -> str:
        try:
            with open(self.stderr_path, encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def diagnosis(self) -> str:
        """What a person would look at first: what supd said, the list of units, and the reasons of those that are not up."""
        parts = [f"$ supd   (in {self.directory})\n{self.said()}"]
        if self.is_running:
            questions = [["list"], ["list-jobs"], ["events", "-n", "60"]]
            for unit in self._not_up():
                questions += [["why", unit], ["logs", unit, "-n", "20"]]
            for question in questions:
                try:
                    done = self.supctl(*question, expect=None, within_s=10.0)
                    parts.append(f"$ supctl {' '.join(question)}   ({done.returncode})\n{done.stdout}{done.stderr}")
                except subprocess.TimeoutExpired:
                    parts.append(f"$ supctl {' '.join(question)}\nno answer within 10 s")
        return "\n".join(parts)

    def _not_up(self) -> list[str]:
        try:
            status, units = self.request("GET", "/v1/units", within_s=5.0)
        except (OSError, http.client.HTTPException):
            return []
        if status != 200 or not isinstance(units, list):
            return []
        return [unit["id"] for unit in units if unit.get("active_state") in ("failed", "activating", "deactivating")]


def has_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port
