"""Exec lines: how they are split, what their prefixes mean, and how variables are put in. Held to what systemd 252 did."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.config import mode
from supervisor.config.command_line import CommandLineError, split_commands, split_words
from supervisor.config.expansion import expand
from supervisor.config.problems import Mistake
from supervisor.config.specifiers import Specifiers
from supervisor.model.specification import Command

REFERENCE: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "syntax-reference.json").read_text())
ENVIRONMENT = {"FOO": "foo", "SP": "a b  c", "EMPTY": "", "QUO": "x y", "DOLLAR": "$$X", "NUM": "1", "STAR": "*"}
# What these stand for depends on the machine that was asked, or on the unit's suffix, which supd does not have.
OF_THE_MACHINE = {"%H": "sdref", "%v_": "6.18.44-fc-v669_", "%s": "/bin/bash", "'%n'": "NAME@in-st\\x2fx.service"}


@pytest.mark.parametrize("row", REFERENCE["exec"], ids=lambda row: repr(row["line"]))
def test_a_command_line_arrives_as_it_does_under_systemd(row: dict[str, Any]) -> None:
    specifiers = Specifiers("NAME@in-st\\x2fx", mode.system())
    if row["argv"] is None:
        with pytest.raises(Mistake, match="unknown specifier"):
            split_commands("/bin/x " + row["line"], specifiers.expand)
        return
    split = split_commands("/bin/x " + row["line"], specifiers.expand)
    [command] = split.commands
    argv = expand(command, ENVIRONMENT)[1:]
    if row["line"] in OF_THE_MACHINE:
        assert row["argv"] == [OF_THE_MACHINE[row["line"]]]
        assert len(argv) == 1
        assert "%" not in argv[0]
    else:
        assert argv == row["argv"]
    assert bool(split.warnings) == bool(row["warnings"])


@pytest.mark.parametrize("row", REFERENCE["exec_prefix"], ids=lambda row: row["prefix"] or "none")
def test_a_prefix_means_what_it_means_under_systemd(row: dict[str, Any]) -> None:
    line = row["prefix"] + "/run/argv zero $FOO ${SP}"
    if row["load"] != "loaded":
        with pytest.raises(CommandLineError):
            split_commands(line)
        return
    [command] = split_commands(line).commands
    argv = expand(command, ENVIRONMENT)
    # The reference's program was a script: the kernel puts the script's path where argv[0] was.
    assert [command.path, *argv[1:]] == row["argv_seen_by_script"]
    assert argv[0] == ("zero" if "@" in row["prefix"] else command.path)
    assert command.ignores_failure == (row["rc_when_command_is_false"] == 0)
    assert command.privilege == ("!" if "!" in row["prefix"] else "")


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("-@:+/bin/x zero", Command("/bin/x", ("zero",), ignores_failure=True, is_verbatim=True, privilege="+")),
        ("!!/bin/x", Command("/bin/x", ("/bin/x",))),
        ("'/bin/a b' c", Command("/bin/a b", ("/bin/a b", "c"))),
        ("/bin//x/./y", Command("/bin/x/y", ("/bin//x/./y",))),
        ("echo a", Command("echo", ("echo", "a"))),
    ],
)
def test_prefixes_combine_in_any_order_and_paths_are_simplified(line: str, command: Command) -> None:
    assert split_commands(line).commands == (command,)


def test_a_lone_semicolon_separates_commands() -> None:
    assert [command.argv for command in split_commands("/bin/a 1 ; -/bin/b ; ").commands] == [("/bin/a", "1"), ("/bin/b",)]


@pytest.mark.parametrize(
    "line", ["/bin/x 'a", '/bin/x "a', "-", "@/bin/x", "/bin/", "a/b", "--/bin/x", "++/bin/x", "!!!/bin/x", "..", "/bin/x\0"]
)
def test_systemd_would_refuse_these(line: str) -> None:
    with pytest.raises(CommandLineError):
        split_commands(line)


def test_a_relative_program_is_for_projects_only() -> None:
    assert split_commands("./bin/x", allows_relative=True).commands[0].path == "./bin/x"
    with pytest.raises(CommandLineError, match="neither a bare program name nor an absolute path"):
        split_commands("./bin/x")


@pytest.mark.parametrize(
    ("line", "word"),
    [("\\x41", "A"), ("\\101", "A"), ("\\u00e9", "é"), ("\\xff", "\udcff"), ("\\x00", "\\x00"), ("\\", "\\"), ("\\400", "\\400")],
)
def test_escapes_are_those_of_c(line: str, word: str) -> None:
    assert split_words(line) == [word]


@pytest.mark.parametrize(
    ("word", "argv"),
    [
        ("$", []),
        ("$FOO-BAR", []),
        ("$$FOO", ["$FOO"]),
        ("a$$b", ["a$b"]),
        ("a$FOO", ["a$FOO"]),
        ("$UNSET", []),
        ("${UNSET}", [""]),
        ("$QUOTED", ["a b", "c", "d"]),
        ("${A:b}${FOO}", ["${A:b}foo"]),
    ],
)
def test_variables_are_put_in_as_systemd_does(word: str, argv: list[str]) -> None:
    environment = {**ENVIRONMENT, "QUOTED": "'a b' c \\d"}
    assert expand(Command("/x", ("/x", word)), environment)[1:] == argv


def test_a_verbatim_command_keeps_its_dollars() -> None:
    assert expand(Command("/x", ("/x", "$FOO", "$$"), is_verbatim=True), ENVIRONMENT) == ["/x", "$FOO", "$$"]


def quoted(word: str) -> str:
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))))
def test_quoted_words_come_back_as_they_were(words: list[str]) -> None:
    assert split_words(" ".join(quoted(word) for word in words)) == words


@given(st.text(), st.dictionaries(st.sampled_from(["A", "B"]), st.text(), max_size=2))
def test_no_text_makes_splitting_or_expanding_fail_in_another_way(text: str, environment: dict[str, str]) -> None:
    try:
        commands = split_commands(text).commands
    except CommandLineError:
        return
    for command in commands:
        assert all(isinstance(word, str) for word in expand(command, environment))
