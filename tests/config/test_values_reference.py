"""Single values, replayed from what systemd 252 made of them: accepted or refused, and as what.

systemd ignores a wrong value with a warning; supd refuses it. `DIFFERENT` lists every row in which we differ in more
than that, with the reason.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from supervisor.model.quantities import format_time_span
from tests.config import projects

REFERENCE: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "syntax-reference.json").read_text())
KEYS = {"OOMScoreAdjust": "oom_score_adjust", "CPUAffinity": "cpu_affinity", "PIDFile": "pid_file", "UMask": "umask"}
KEYS |= {"LimitNOFILE": "limit_nofile", "LimitCORE": "limit_core", "LimitCPU": "limit_cpu"}
NOT_OURS = {
    "MemoryMax",
    "CPUQuota",
    "TasksMax",
    "SyslogIdentifier",
    "LogLevelMax",
    "IgnoreSIGPIPE",
    "Delegate",
    "ExecSearchPath",
    "OOMPolicy",
}
DIFFERENT = {
    ("Nice", "+5"): "numbers are TOML's",
    ("RemainAfterExit", "yes"): "booleans are TOML's",
    ("RemainAfterExit", "y"): "booleans are TOML's",
    ("RemainAfterExit", "YES"): "booleans are TOML's",
    ("RuntimeDirectory", "foo bar"): "lists are TOML's",
    ("RuntimeDirectory", ""): "lists are TOML's: an empty one is []",
    ("UnsetEnvironment", ""): "lists are TOML's: an empty one is []",
    ("StandardOutput", "socket"): "not supported yet",
    ("StandardOutput", "tty"): "not supported yet",
    ("StandardInput", "data"): "not supported yet",
    ("WorkingDirectory", "tmp"): "in project mode a relative path starts at the project",
}
ROWS = [row for row in REFERENCE["values"] if row["key"] not in NOT_OURS]


def toml_value(key: str, value: str) -> str:
    if key == "success_exit_status":
        return json.dumps(value.split())
    is_number = re.fullmatch(r"-?[0-9]+", value) and key in ("nice", "oom_score_adjust", "file_descriptor_store_max", "start_limit_burst")
    return value if is_number else json.dumps(value)


def unit_text(row: dict[str, Any]) -> tuple[str, str]:
    key = KEYS.get(row["key"]) or re.sub(r"(?<=[a-z])(?=[A-Z])", "_", row["key"]).lower()
    line = f"{key} = {toml_value(key, row['value'])}"
    if key.startswith("start_limit"):
        return key, f"[unit]\n{line}\n[service]\nexec_start = '/bin/true'\n"
    kind = 'type = "forking"\n' if key == "pid_file" else ""
    return key, f"[service]\nexec_start = '/bin/true'\n{kind}{line}\n"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['key']}={row['value']}")
def test_a_value_is_accepted_or_refused_as_systemd_does(tmp_path: Path, row: dict[str, Any]) -> None:
    key, text = unit_text(row)
    found = projects.complaints(tmp_path, {"web.toml": text})
    is_refused = any("gnoring" in line or "fatal" in line or "Failed" in line for line in row["verify"])
    is_different = (row["key"], row["value"]) in DIFFERENT
    assert (bool(found) == is_refused) != is_different, found
    assert all(f".{key}:" in line for line in found)


@pytest.mark.parametrize(
    ("line", "field", "text"),
    [
        ('restart_sec = "5"', "restart_us", "5s"),
        ("restart_sec = 0.5", "restart_us", "500ms"),
        ("restart_sec = 0", "restart_us", "0"),
        ('timeout_stop_sec = "infinity"', "timeout_stop_us", "infinity"),
        ("timeout_stop_sec = 0", "timeout_stop_us", "infinity"),
        ('timeout_stop_sec = "1us"', "timeout_stop_us", "1us"),
        ('timeout_start_sec = "0"', "timeout_start_us", "infinity"),
        ("watchdog_sec = 0", "watchdog_us", "infinity"),
        ("runtime_max_sec = 5", "runtime_max_us", "5s"),
    ],
)
def test_a_time_span_becomes_what_systemd_shows(tmp_path: Path, line: str, field: str, text: str) -> None:
    life = projects.service(tmp_path, line)
    spans = {
        "restart_us": life.restart_us,
        "timeout_stop_us": life.timeout_stop_us,
        "timeout_start_us": life.timeout_start_us,
        "watchdog_us": life.watchdog_us,
        "runtime_max_us": life.runtime_max_us,
    }
    assert format_time_span(spans[field]) == text


@pytest.mark.parametrize(
    ("line", "path"),
    [("x.pid", "RUN/x.pid"), ("/var/run/x.pid", "/run/x.pid"), ("/run//x.pid", "/run/x.pid")],
)
def test_a_pid_file_is_relative_to_the_runtime_root(tmp_path: Path, line: str, path: str) -> None:
    life = projects.service(tmp_path, f'type = "forking"\npid_file = "{line}"')
    assert life.pid_file == path.replace("RUN", str(tmp_path / ".supd" / "run"))


def test_statuses_and_signals_are_told_apart(tmp_path: Path) -> None:
    statuses = projects.service(tmp_path, 'success_exit_status = [143, "SIGTERM", "DATAERR", "TERM"]').success_exit_status
    assert (statuses.codes, statuses.signals) == ((65, 143), (15,))
