"""A project's `units/` directory on disk for a test, written from texts."""

from pathlib import Path

from supervisor.config import mode
from supervisor.config.load import load
from supervisor.config.mode import Mode
from supervisor.config.result import LoadResult
from supervisor.model.specification import Execution, Service, Unit

SERVICE = '[service]\nexec_start = "/bin/true"\n'
TASK = '[task]\nexec_start = "/bin/true"\n'


def write_units(root: Path, files: dict[str, str]) -> Mode:
    """Write `files` (paths below `units/`) and return the project's mode."""
    units = root / "units"
    units.mkdir(exist_ok=True)
    for name, text in files.items():
        path = units / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    (root / ".supd").mkdir(exist_ok=True)
    return mode.project([str(units)])


def loaded(root: Path, files: dict[str, str]) -> LoadResult:
    return load(write_units(root, files))


def good(root: Path, files: dict[str, str]) -> dict[str, Unit]:
    """The units of a set that must have no errors."""
    result = loaded(root, files)
    assert [problem.text() for problem in result.errors] == []
    return result.units


def service(root: Path, body: str, *, table: str = "service") -> Service:
    """The life of one unit with these lines in its main table; exec_start is given unless they do."""
    return _one(root, body, table)[0]


def execution(root: Path, body: str) -> Execution:
    return _one(root, body, "service")[1]


def _one(root: Path, body: str, table: str) -> tuple[Service, Execution]:
    start = "" if "exec_start =" in body else 'exec_start = "/bin/true"\n'
    unit = good(root, {"web.toml": f"[{table}]\n{start}{body}\n"})["web"]
    assert unit.service is not None
    assert unit.execution is not None
    return unit.service, unit.execution


def complaints(root: Path, files: dict[str, str]) -> list[str]:
    """The errors of a set, with paths relative to `units/`."""
    result = loaded(root, files)
    return [problem.text(str(root / "units")) for problem in result.errors]
