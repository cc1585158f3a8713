"""The schema states each fact once: its defaults are the specification's, its differences name keys that exist."""

from dataclasses import MISSING, fields
from pathlib import Path

import pytest

from supervisor.config import mode
from supervisor.config.differences import DIFFERENCES
from supervisor.config.hints import all_keys
from supervisor.config.kinds import Context
from supervisor.config.schema import UNIT_TABLE, KeyInfo, LogTable, Table
from supervisor.config.schema_process import SERVICE_TABLE, TASK_TABLE, ProbeTable
from supervisor.config.specifiers import Specifiers
from supervisor.model.specification import Execution, Log, Probe, Service, Unit
from tests.config import projects

MODELS: dict[str, type[Table]] = {"unit": UNIT_TABLE, "service": SERVICE_TABLE, "task": TASK_TABLE, "log": LogTable}
MODELS["service.ready"] = ProbeTable
DEFAULTS = {one.name: one.default for kind in (Unit, Service, Execution, Probe, Log) for one in fields(kind)}
FIELDS = [info for info in all_keys() if info.table in MODELS and info.field and info.default is not None]


@pytest.mark.parametrize("info", FIELDS, ids=lambda info: f"{info.table}.{info.name}")
def test_a_declared_default_is_the_specifications(info: KeyInfo) -> None:
    unit = Context("web", mode.system(), Specifiers("web", mode.system()))
    value = MODELS[info.table].model_validate({info.name: info.default}, context=unit).given()[info.name]
    default = DEFAULTS[info.field]
    if info.table == "task" and info.name in ("max_attempts", "timeout_sec"):
        assert value == {"max_attempts": 1, "timeout_sec": None}[info.name]
    elif info.table != "unit" and info.field == "runtime_max_us":
        assert value is None
    else:
        assert default is not MISSING
        assert value == default


def test_every_key_has_a_meaning_that_ends_like_a_sentence() -> None:
    assert [info.name for info in all_keys() if not info.meaning.endswith(".")] == []


def test_a_json_schema_can_be_made_of_every_table() -> None:
    for model in MODELS.values():
        assert model.model_json_schema()["additionalProperties"] is False


def test_every_difference_names_a_key_that_exists() -> None:
    known = {f"{info.table}.{info.name}" for info in all_keys()}
    assert [one.key for one in DIFFERENCES if one.key not in known and one.key != "specifiers"] == []


def test_the_specification_has_no_field_that_no_key_sets(tmp_path: Path) -> None:
    body = """
restart = "always"
timeout_sec = "5s"
watchdog_sec = 3
kill_signal = "SIGINT"
limit_nofile = 1024
runtime_directory = ["a", "b/c"]
runtime_directory_mode = "0700"
load_credential = { token = "/etc/hostname" }
working_directory = "-/tmp"
cpu_affinity = [0, "2-3"]
capability_bounding_set = "~CAP_SYS_ADMIN CAP_KILL"
ambient_capabilities = ["CAP_NET_BIND_SERVICE"]
"""
    life = projects.service(tmp_path, body)
    assert (life.timeout_start_us, life.timeout_stop_us, life.timeout_abort_us) == (5_000_000,) * 3
    assert (life.watchdog_us, life.notify_access, life.kill_signal) == (3_000_000, "main", 2)
    context = projects.execution(tmp_path, body)
    assert [(limit.resource, limit.soft, limit.hard) for limit in context.limits] == [("NOFILE", 1024, 1024)]
    assert [(one.base, one.path, one.mode) for one in context.directories] == [("runtime", "a", 0o700), ("runtime", "b/c", 0o700)]
    assert context.credentials == (("token", "/etc/hostname"),)
    assert (context.working_directory, context.working_directory_is_optional) == ("/tmp", True)
    assert context.cpu_affinity == (0, 2, 3)
    assert context.capability_bounding_set == tuple(number for number in range(41) if number not in (5, 21))
    assert context.ambient_capabilities == (10,)
