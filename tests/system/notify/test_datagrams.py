"""Single datagrams recorded from systemd 252, sent by real processes, and what the engine is told of each."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.system.notify.conftest import Listening

CASES: list[dict[str, Any]] = json.loads(Path(__file__).with_name("notify-datagram-matrix.json").read_text())["cases"]
STATES = {"RELOADING": "reloading/reload", "STOPPING": "deactivating/stop-sigterm", "READY": "active/running"}


def _name(case: dict[str, Any]) -> str:
    message = case["message"]
    text = message if isinstance(message, str) else message["head"]
    return f"{case['phase']}-{text[:30]!r}-by-{case['sender']}"


def _payload(message: Any) -> bytes:
    if isinstance(message, str):
        return message.encode()
    if message["hex"] is not None:
        return bytes.fromhex(message["hex"])
    # Of long ones the beginning and the length are recorded; they go on as they begin.
    head = str(message["head"]).encode()
    return head + head[-1:] * (int(message["len"]) - len(head))


def _expected_state(case: dict[str, Any], fields: dict[str, str]) -> str:
    if fields.get("WATCHDOG") == "trigger":
        return "failed/failed"
    said = next((STATES[key] for key in STATES if key in fields), None)
    if case["phase"] == "starting":
        # RELOADING and STOPPING before READY change nothing; that is the engine's to know.
        return "active/running" if said == "active/running" else "activating/start"
    return said or "active/running"


@pytest.mark.parametrize("case", CASES, ids=_name)
def test_what_systemd_understood_is_what_the_engine_is_told(world: Listening, case: dict[str, Any]) -> None:
    payload = _payload(case["message"])
    text = f"{payload!r}.replace(b'@KID@', str(kid or os.getpid()).encode())"
    send = f"send({text}, *[os.dup(0) for _ in range({case['fds']})]); say('sent')\n"
    by_child, by_main = (send, "") if case["sender"] == "child" else ("", send)
    program = f"kid = os.fork()\nif kid == 0:\n    {by_child or 'pass'}\n    stay()\n{by_main}"
    main = world.spawn_sender("web", program + "\nstay()")
    world.hear("sent")
    world.sockets.drain("web")

    assert len(world.heard) <= 1
    fields = dict(world.heard[0].fields) if world.heard else {}
    if case["NotifyAccess"] != "all" and case["sender"] == "child":
        assert world.heard[0].pid != main  # the engine is told who spoke, and refuses
        return
    initial = "" if case["phase"] == "starting" else "initial"
    assert _expected_state(case, fields) == case["state"]
    assert fields.get("STATUS", initial) == case["status_text"]
    assert fields.get("ERRNO", "0") == case["errno"]
    if "main_is" in case:
        assert (case["main_is"] == "child") == ("MAINPID" in fields)
        assert all(event.main_pid_is_ours == ("MAINPID" in event.fields) for event in world.heard)
    if any(complaint in line for complaint in ("parse MAINPID=", "refusing", "does not exist") for line in case["journal"]):
        assert any("MAINPID=" in text for _, text in world.notes)
