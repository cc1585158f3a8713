"""What is made from the tables is current and complete: completions, man pages, the key reference, the schema for editors.

After a change of a verb, an option or a key: `python contrib/reference`.
"""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from supervisor.cli.verbs import GLOBAL, VERBS
from supervisor.config.hints import all_keys
from supervisor.daemon.options import PLAIN, VALUED

ROOT = Path(__file__).resolve().parents[2]
CONTRIB = ROOT / "contrib"


def reference(option: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, CONTRIB / "reference", option], capture_output=True, text=True, check=False, timeout=60)


def test_every_generated_page_is_current() -> None:
    run = reference("--check")
    assert (run.stdout + run.stderr, run.returncode) == ("", 0)


def roff(name: str) -> str:
    """The source of a man page without the escapes of its punctuation."""
    return (CONTRIB / "man" / name).read_text().replace("\\-", "-").replace("\\fB", "").replace("\\fI", "").replace("\\fR", "")


def test_the_manual_of_supctl_names_every_verb_and_option() -> None:
    lines = roff("supctl.1").splitlines()
    assert [verb.name for verb in VERBS if not any(re.match(rf"{verb.name}( |$)", line) for line in lines)] == []
    flags = {name for verb in VERBS for flag in (*verb.flags, *GLOBAL) for name in flag.names}
    words = {word.rstrip(",") for line in lines if line.startswith("-") for word in line.split()}
    assert flags - words == set()


def test_the_manual_of_supd_names_every_option() -> None:
    words = {line.split()[0] for line in roff("supd.1").splitlines() if line.startswith("--")}
    assert words == {*VALUED, *PLAIN} - {"--help"}


def test_the_manual_of_unit_files_and_the_key_reference_name_every_key() -> None:
    names = {info.name for info in all_keys()}
    assert names - {line.split()[0] for line in roff("supd.unit.5").splitlines() if line} == set()
    assert names - set(re.findall(r"^\| `(\w+)` \|", (CONTRIB / "KEYS.md").read_text(), re.MULTILINE)) == set()


@pytest.mark.parametrize("page", ["supctl.1", "supd.1", "supd.unit.5"])
def test_no_line_of_a_man_page_begins_with_what_roff_would_obey(page: str) -> None:
    requests = {line.split()[0] for line in (CONTRIB / "man" / page).read_text().splitlines() if line.startswith((".", "'"))}
    assert requests <= {".TH", ".SH", ".SS", ".TP", ".PP", ".B", ".RS", ".RE", ".nf", ".fi"}


def schema() -> dict[str, Any]:
    whole: dict[str, Any] = json.loads((CONTRIB / "supd-unit.schema.json").read_text())
    return whole


def test_the_schema_holds_every_key_and_refuses_those_that_have_no_effect_yet() -> None:
    whole = schema()
    for info in all_keys():
        table, _, probe = info.table.partition(".")
        found = whole["$defs"]["ProbeTable"] if probe else whole["properties"][table]
        assert found["additionalProperties"] is False
        assert ("not" in found["properties"][info.name]) == (not info.is_supported), f"{info.table}.{info.name}"


def test_every_reference_within_the_schema_leads_somewhere() -> None:
    text = json.dumps(schema())
    targets = set(re.findall(r'"\$ref": "#/\$defs/(\w+)"', text))
    assert targets
    assert targets == set(schema()["$defs"])
    assert '"x-field"' not in text


@pytest.mark.parametrize("stage", ["startup", "ready", "health"])
def test_a_probe_may_be_a_table_or_a_list_of_them(stage: str) -> None:
    one = {"$ref": "#/$defs/ProbeTable"}
    assert schema()["properties"]["service"]["properties"][stage]["anyOf"] == [one, {"type": "array", "items": one}]


@pytest.mark.parametrize("path", sorted((ROOT / "units").glob("*.toml")), ids=lambda path: path.name)
def test_the_schema_knows_every_key_of_the_examples(path: Path) -> None:
    tables = schema()["properties"]
    for name, table in tomllib.loads(path.read_text()).items():
        assert name in tables
        assert isinstance(table, str | list) or set(table) <= set(tables[name]["properties"])


def messages() -> list[str]:
    return re.findall(r"^- \d+ \w+: (.*)$", reference("--messages").stdout, re.MULTILINE)


def test_messages_are_written_in_one_voice() -> None:
    """They state the rule or the fault in plain words; they do not shout, blame, apologise or begin with a label."""
    found = messages()
    assert len(found) > 150
    unwanted = (r"!\s", r"!['\"]$", r"\b(?:please|sorry|fatal|oops|invalid|can't)\b", r"^['\"](?:error|warning|failed|unable)\b")
    voice = re.compile("|".join(unwanted), re.IGNORECASE)
    assert [text for text in found if voice.search(text)] == []
