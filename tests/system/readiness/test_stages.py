"""Startup, ready and health as stages of one unit: they follow each other, all probes of one must hold, and none outlives its unit."""

import http.server
import os
import queue
import threading
from collections.abc import Iterator

import pytest

from tests.system.conftest import StartSupd
from tests.system.readiness.conftest import StartTold
from tests.system.readiness.told import service
from tests.system.supd import free_port

# Says that it listens, and answers 503 while there is a file `sick`.
WEB = """
import http.server, os, sys

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(503 if os.path.exists("sick") else 200)
        self.end_headers()
    def log_message(self, *words):
        pass

server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Answer)
print("listening on", sys.argv[1], flush=True)
server.serve_forever()
"""
# The first thing it does: one datagram, with no module but those the interpreter has built in.
FIRST_WORD = "import _socket, os; _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM).sendto(b'READY=1', os.environ['NOTIFY_SOCKET'])"


def test_ready_by_a_line_of_output_then_watched_by_http(start_supd: StartSupd) -> None:
    port = free_port()
    unit = f"""
[service]
exec_start = "python3 -S web.py {port}"
restart = "on-watchdog"
restart_sec = "50ms"
[service.ready]
log = "^listening on"
[service.health]
http = "http://127.0.0.1:{port}/"
interval_sec = "50ms"
failure_threshold = 2
"""
    supd = start_supd({"web": unit}, {"web.py": WEB})
    first = supd.wait_until("web", "active")["main_pid"]
    supd.write("sick", "")
    supd.wait_for("web", "restarted", lambda shown: shown["n_restarts"] >= 1)
    said = supd.supctl("why", "web").stdout
    assert "health probe http failed 2 times in a row: HTTP 503 Service Unavailable" in said
    os.unlink(supd.path("sick"))
    shown = supd.wait_for("web", "well", lambda shown: shown["sub_state"] == "running" and shown["main_pid"] not in (0, first))
    assert shown["result"] == "success"


def test_startup_comes_before_ready_and_ready_before_health(start_told: StartTold) -> None:
    unit = "[service]\n" + service("web")
    unit += "[service.startup]\nfd = 3\n[service.ready]\nlog = '^ready$'\n"
    unit += "[service.health]\nexec = \"sh -c '! test -e sick'\"\ninterval_sec = '20ms'\nfailure_threshold = 1\n"
    told = start_told({"web": unit})
    told.supd.write("sick", "")  # a health check before its time would end it
    told.ask("web", "print ready", "too early for the first stage, but said")
    assert told.supd.show("web")["active_state"] == "activating"
    os.unlink(told.supd.path("sick"))
    told.tell("web", "write 3 begun")
    told.supd.wait_until("web", "active")
    told.supd.write("sick", "")
    assert told.supd.wait_until("web", "failed")["result"] == "watchdog"


def test_a_stage_holds_when_all_its_probes_do(start_told: StartTold) -> None:
    unit = "[service]\n" + service("web")
    unit += "[[service.ready]]\nlog = '^one$'\nfd = 4\n[[service.ready]]\nexec = 'test -e there'\ninterval_sec = '20ms'\n"
    told = start_told({"web": unit})
    told.tell("web", "print one")
    told.supd.write("there", "")
    told.ask("web", "print two", "said")
    assert told.supd.show("web")["active_state"] == "activating"
    told.kill_manager()  # what held, holds on
    told.tell("web", "write 4 three")
    told.supd.wait_until("web", "active")


def test_a_notify_service_is_up_when_it_says_so_and_its_probes_hold(start_told: StartTold) -> None:
    unit = "[service]\ntype = 'notify'\n" + service("web") + "[service.ready]\nlog = '^warm$'\n"
    told = start_told({"web": unit})
    told.ask("web", "print warm", "said")
    assert told.supd.show("web")["active_state"] == "activating"
    told.tell("web", "notify READY=1")
    told.supd.wait_until("web", "active")


def test_a_startup_probe_that_fails_too_often_ends_the_start_with_its_own_text(start_told: StartTold) -> None:
    unit = "[service]\n" + service("web") + "[service.startup]\nexec = '/bin/false'\ninterval_sec = '20ms'\nfailure_threshold = 3\n"
    told = start_told({"web": unit})
    assert told.supd.wait_until("web", "failed")["result"] == "watchdog"
    assert "startup probe exec failed 3 times in a row: the command was exited with 1" in told.supd.supctl("why", "web").stdout


def test_a_start_that_never_gets_ready_times_out_and_why_tells_what_was_asked(start_told: StartTold) -> None:
    port = free_port()
    unit = "[service]\ntimeout_start_sec = '2s'\n" + service("web")
    unit += f"[service.ready]\ntcp = '127.0.0.1:{port}'\ninterval_sec = '20ms'\n"
    told = start_told({"web": unit})
    assert told.supd.wait_until("web", "failed")["result"] == "timeout"
    assert f"ready probe tcp fails: connect to 127.0.0.1:{port}: connection refused" in told.supd.supctl("why", "web").stdout


def test_a_first_word_is_not_lost(start_supd: StartSupd) -> None:
    program = '[service]\ntype = "notify"\nremain_after_exit = true\nexec_start = "python3 -S -I -E first.py"\n'
    names = [f"first-{number}" for number in range(12)]
    supd = start_supd(dict.fromkeys(names, program), {"first.py": FIRST_WORD})
    for name in names:
        shown = supd.wait_for(name, "up or failed", lambda shown: shown["sub_state"] in ("exited", "failed"))
        assert shown["sub_state"] == "exited"


@pytest.fixture
def asked() -> Iterator[tuple[int, queue.SimpleQueue[str]]]:
    """A server of the test's own: its port, and every path it is asked for."""
    paths: queue.SimpleQueue[str] = queue.SimpleQueue()

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.put(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port, paths
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_probe_does_not_outlive_its_unit(start_told: StartTold, asked: tuple[int, "queue.SimpleQueue[str]"]) -> None:
    port, paths = asked
    units = {
        name: "[service]\n" + service(name) + f"[service.health]\nhttp = 'http://127.0.0.1:{port}/{name}'\ninterval_sec = '20ms'\n"
        for name in ("web", "clock")
    }
    told = start_told(units)
    until_asked(paths, "/web", 2)
    told.supd.supctl("stop", "web")
    while not paths.empty():
        paths.get()
    assert "/web" not in until_asked(paths, "/clock", 5)
    told.supd.supctl("start", "web")
    until_asked(paths, "/web", 1)


def until_asked(paths: "queue.SimpleQueue[str]", path: str, count: int) -> list[str]:
    """Until this path was asked for so often; all that were asked for until then."""
    seen: list[str] = []
    while seen.count(path) < count:
        seen.append(paths.get(timeout=20))
    return seen
