"""The example system in `units/`: it starts as it stands, and does what its comments promise.

The tests run a copy whose ports are free ones, so that they never meet a supd that runs in the checkout itself.
"""

import glob
import http.client
import os
import re
import signal

import pytest

from tests.system.conftest import StartSupd
from tests.system.daemons import ask
from tests.system.supd import Supd, free_port
from tests.system.users import NOBODY

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_WORKERS = ("worker@1", "worker@2", "worker@3")


class Shop:
    """A copy of the example system: `web`, `cache` and `health` are its ports."""

    def __init__(self, make_supd: StartSupd, uid: int | None = None, tracking: str | None = None) -> None:
        self.web, self.cache, self.health = free_port(), free_port(), free_port()
        ports = {"8460": self.web, "8461": self.cache, "8462": self.health}
        files = {}
        for path in glob.glob(f"{_ROOT}/units/**", recursive=True):
            if os.path.isfile(path) and path.endswith((".toml", ".py", ".txt")):
                with open(path, encoding="utf-8") as file:
                    text = file.read()
                files[os.path.relpath(path, _ROOT)] = re.sub("|".join(ports), lambda match: str(ports[match[0]]), text)
        self.supd: Supd = make_supd({}, files, uid=uid, tracking=tracking)


@pytest.fixture
def shop(make_supd: StartSupd) -> Shop:
    shop = Shop(make_supd)
    shop.supd.start()
    return shop


def _all_up(shop: Shop) -> None:
    for unit in ("cache", "web", "health", *_WORKERS):
        shop.supd.wait_until(unit, "running")
    shop.supd.wait_until("migrate", "exited")


def test_the_examples_have_no_error(make_supd: StartSupd) -> None:
    supd = Shop(make_supd).supd
    said = supd.run("supd", "--check", "--units", "units")
    assert said.returncode == 0, said.stdout + said.stderr


@pytest.mark.parametrize("tracking", ["cgroup", "scan"])
def test_everything_enabled_comes_up_in_order_and_goes_without_a_trace(make_supd: StartSupd, tracking: str) -> None:
    shop = Shop(make_supd, tracking="scan" if tracking == "scan" else None)
    shop.supd.start()
    if shop.supd.get("/v1/status")["tracking"] != tracking:
        pytest.skip("no cgroup2 hierarchy can be written here, so supd tracks by scanning")
    _all_up(shop)
    entered = {unit: shop.supd.show(unit)["active_enter_time_s"] for unit in ("cache", "migrate", "web", *_WORKERS)}
    assert entered["cache"] <= entered["migrate"]
    assert all(entered["migrate"] <= entered[unit] for unit in ("web", *_WORKERS))
    shop.supd.stop()


def test_an_ordinary_user_runs_them_too(make_supd: StartSupd, as_root: None) -> None:
    shop = Shop(make_supd, uid=NOBODY)
    shop.supd.start()
    _all_up(shop)
    assert "Welcome" in ask.http_body(shop.web)
    found_upwards = shop.supd.run("supctl", "is-active", "web", uid=NOBODY)
    assert (found_upwards.returncode, found_upwards.stdout) == (0, "active\n")
    shop.supd.stop()


def test_the_shop_answers_and_a_worker_packs(shop: Shop) -> None:
    _all_up(shop)
    assert ask.http_body(shop.web) == "Welcome to the shop. You are visitor 1, and a lamp is on its way."
    shop.supd.watch("logs", *_WORKERS, "-f", "-n", "100", until="pack a lamp for visitor 1")


def test_a_reload_shows_the_new_message_from_the_same_process(shop: Shop) -> None:
    before = shop.supd.wait_until("web", "running")
    assert before["status_text"] == "Greeting with: Welcome to the shop."
    shop.supd.write("units/etc/message.txt", "Closing soon.\n")
    shop.supd.supctl("reload", "web")
    assert ask.http_body(shop.web).startswith("Closing soon.")
    after = shop.supd.show("web")
    assert (after["main_pid"], after["status_text"]) == (before["main_pid"], "Greeting with: Closing soon.")


def test_a_killed_cache_comes_back_with_its_dependents_and_its_catalogue(shop: Shop) -> None:
    _all_up(shop)
    before = shop.supd.show("cache")
    os.kill(before["main_pid"], signal.SIGKILL)
    shop.supd.wait_for("cache", "back", lambda shown: shown["sub_state"] == "running" and shown["main_pid"] != before["main_pid"])
    shop.supd.supctl("wait", "--for", "active", "web", "migrate", *_WORKERS, "--timeout", "30s")
    _all_up(shop)
    assert "a lamp is on its way" in ask.http_body(shop.web)


def test_flaky_waits_longer_each_time_and_why_tells_when_it_is_tried_again(shop: Shop) -> None:
    shop.supd.wait_for("flaky", "restarted twice", lambda shown: shown["n_restarts"] >= 2)
    shop.supd.wait_until("flaky", "auto-restart")
    why = shop.supd.json("why", "flaky")
    assert why["unit"] == "flaky"
    assert why["because"], "it says what led here"
    assert "flux capacitor" in shop.supd.log("flaky")


def test_health_made_sick_is_restarted_and_well_again(shop: Shop) -> None:
    # Three bad answers, two seconds apart, are its own rule; a test need not wait that long.
    shop.supd.write("units/health.toml.d/quick.toml", '[service.health]\ninterval_sec = "100ms"\n')
    shop.supd.supctl("reload-units")
    shop.supd.supctl("restart", "health")
    before = shop.supd.wait_until("health", "running")
    with open(shop.supd.path(".supd/run/health/sick"), "w", encoding="utf-8"):
        pass
    after = shop.supd.wait_for("health", "restarted", lambda shown: shown["n_restarts"] == 1 and shown["sub_state"] == "running")
    assert after["main_pid"] != before["main_pid"]
    assert "watchdog" in shop.supd.supctl("why", "health").stdout
    connection = http.client.HTTPConnection("127.0.0.1", shop.health, timeout=10.0)
    connection.request("GET", "/healthz")
    assert connection.getresponse().status == 200
    connection.close()


def test_the_report_fails_with_its_last_lines_and_the_alert_tells_of_it(shop: Shop) -> None:
    said = shop.supd.supctl("start", "nightly-report", expect=1)
    assert "cannot divide the total by 0 customers" in said.stdout + said.stderr
    assert shop.supd.show("nightly-report")["exec_main_status"] == 3
    shop.supd.wait_for_line("alert@nightly-report", "alert: nightly-report failed: exit-code (exited, status 3)")


def test_workers_are_scaled_up_and_down(shop: Shop) -> None:
    _all_up(shop)
    shop.supd.supctl("scale", "worker", "5")
    for number in (4, 5):
        shop.supd.wait_until(f"worker@{number}", "running")
    shop.supd.supctl("scale", "worker", "1")
    shop.supd.wait_until("worker@5", "inactive")
    shop.supd.wait_until("worker@2", "inactive")
    assert shop.supd.show("worker@1")["active_state"] == "active"


def test_what_a_person_stopped_stays_stopped_over_a_crash_of_what_it_needs(shop: Shop) -> None:
    _all_up(shop)
    shop.supd.supctl("stop", "worker@2")
    before = shop.supd.show("cache")
    os.kill(before["main_pid"], signal.SIGKILL)
    back = shop.supd.wait_for("cache", "back", lambda shown: shown["sub_state"] == "running" and shown["main_pid"] != before["main_pid"])
    shop.supd.wait_for("worker@1", "back", lambda shown: shown["active_enter_time_s"] >= back["active_enter_time_s"])
    assert shop.supd.show("worker@2")["active_state"] == "inactive"
