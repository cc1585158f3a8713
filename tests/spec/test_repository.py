"""What holds for the repository as a whole, and is checked by machines rather than by reviewers.

The linter, the type checker and the import contracts run here, so that one command answers for everything; the laws of
style that a program can see are rows of the tests below. Never changes a file.
"""

import ast
import importlib
import io
import os
import re
import subprocess
import sys
import tokenize
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MOST_LINES = 450  # the style says "about 400"; past this it is not "about" any more

# The design's layout. A new name here is a decision, not an accident.
TOP_LEVEL = {
    ".ci", ".gitignore", "CHANGELOG.md", "LICENSE", "README.md", "contrib", "pyproject.toml", "supervisor", "tests", "units",
}  # fmt: skip
PACKAGES = {"cli", "client", "config", "daemon", "engine", "keeper", "model", "tui"}

MODULES = sorted(
    path for part in ("supervisor", "tests", "contrib", "units") for path in (ROOT / part).rglob("*.py") if "__pycache__" not in path.parts
)


def ignored_names() -> list[str]:
    rows = (ROOT / ".gitignore").read_text().split()
    return [row.strip("/") for row in rows] + [".git"]


def project() -> dict[str, object]:
    with open(ROOT / "pyproject.toml", "rb") as f:
        table: dict[str, object] = tomllib.load(f)["project"]
    return table


def command_line(program: str) -> str:
    """The README's command (an indented line) that runs `program` last."""
    found = re.findall(rf"^    (.*bin/{program}\b.*)$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert len(found) == 1, f"README.md has {len(found)} command lines that run {program}, expected one"
    return str(found[0])


def listed(faults: list[str]) -> str:
    return "\n" + "\n".join(faults)


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def comments(path: Path) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


@pytest.mark.parametrize(
    "tool",
    [
        pytest.param(["ruff", "check", "--quiet", "."], id="the linter finds no fault"),
        pytest.param(["mypy"], id="the type checker finds no fault"),
        pytest.param(["lint-imports", "--no-cache"], id="imports point one way"),
    ],
)
def test_machines_hold_the_line(tool: list[str]) -> None:
    program = Path(sys.executable).with_name(tool[0])
    # Colours and line widths of a terminal do not belong into a test's report.
    environment = {**os.environ, "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "160"}
    run = subprocess.run([program, *tool[1:]], cwd=ROOT, capture_output=True, text=True, check=False, env=environment)
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_top_level_is_what_the_design_lists() -> None:
    ignored = ignored_names()
    found = {name for name in os.listdir(ROOT) if not any(fnmatch(name, pattern) for pattern in ignored)}
    assert found == TOP_LEVEL


def test_the_package_is_divided_as_the_design_lists() -> None:
    found = {path.name for path in (ROOT / "supervisor").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert found == PACKAGES


def test_no_module_grows_past_what_a_reader_holds_in_mind() -> None:
    sizes = {path: len(path.read_text().splitlines()) for path in MODULES}
    assert not [f"{path.relative_to(ROOT)}: {lines} lines" for path, lines in sizes.items() if lines > MOST_LINES]


def test_every_module_says_what_it_decides() -> None:
    silent = [str(path.relative_to(ROOT)) for path in MODULES if (tree := parsed(path)).body and not ast.get_docstring(tree)]
    assert not silent, f"no docstring at the head: {listed(silent)}"


def test_an_ignore_names_its_rule_and_carries_its_reason() -> None:
    """`# type: ignore[code]  # why` and `# noqa: CODE  # why`, the reason of two words at least."""
    marker = re.compile(r"#\s*(?:type:\s*ignore|noqa)\b", re.IGNORECASE)
    proper = re.compile(r"#\s*(?:type: ignore\[[\w-]+(?:, ?[\w-]+)*\]|noqa: [A-Z]+\d+(?:, ?[A-Z]+\d+)*)\s*(?:#|-|:|\()\s*(\S+ \S+.*)")
    faults = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path in MODULES
        for line, text in comments(path)
        if marker.search(text) and not proper.search(text)
    ]
    assert not faults, listed(faults)


def test_nothing_is_left_for_later() -> None:
    later = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")
    faults = [f"{path.relative_to(ROOT)}:{line}: {text}" for path in MODULES for line, text in comments(path) if later.search(text)]
    for path in MODULES:
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Raise) and "NotImplementedError" in ast.unparse(node):
                faults.append(f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}")
    assert not faults, listed(faults)


def test_no_module_is_named_after_nothing() -> None:
    """STYLE, Names: no `utils`, no `helpers`."""
    assert not [str(path.relative_to(ROOT)) for path in MODULES if path.stem in ("utils", "util", "helpers", "helper", "misc", "common")]


def test_the_console_scripts_name_functions_that_exist() -> None:
    scripts = project()["scripts"]
    assert isinstance(scripts, dict)
    assert set(scripts) == {"supd", "supctl"}
    for target in scripts.values():
        module, _, function = target.partition(":")
        assert callable(vars(importlib.import_module(module))[function])


def test_the_changelog_opens_with_the_version_of_the_package() -> None:
    from supervisor import __version__

    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert newest[1] == __version__


def test_the_readme_names_the_other_package_called_supervisor() -> None:
    text = " ".join((ROOT / "README.md").read_text().split())
    assert "PyPI's `supervisor`" in text
    assert "separate environments" in text


def test_the_readme_starts_supd_on_the_example_units_in_one_line() -> None:
    words = command_line("supd").split(" && ")
    assert words[-2:] == [".venv/bin/pip install .", ".venv/bin/supd --units units"]


def test_the_readme_runs_all_tests_in_one_line() -> None:
    """`.ci/run` takes this line from README.md and runs it as it stands."""
    words = command_line("pytest").split(" && ")
    made = ["python3 -m venv .venv", ".venv/bin/pip install -e '.[test]'"]
    assert words == ["sudo .ci/packages", *made, ".venv/bin/pytest -n 2 --dist loadfile"]


@pytest.mark.parametrize("script", sorted((ROOT / ".ci").iterdir()), ids=lambda path: path.name)
def test_a_script_of_the_checks_can_be_run_and_parsed(script: Path) -> None:
    assert os.access(script, os.X_OK)
    run = subprocess.run(["bash", "-n", script], capture_output=True, text=True, check=False)
    assert run.stderr == ""


@pytest.mark.parametrize("page", ["README.md", "CHANGELOG.md", "contrib/bench/README.md"])
def test_a_page_links_only_to_files_that_exist(page: str) -> None:
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", (ROOT / page).read_text())
    assert not [target for target in targets if not ((ROOT / page).parent / target).exists()]
