"""What completion offers without asking supd: verbs, options and their values, from the verb table."""

import pytest

from supervisor.cli import complete
from supervisor.cli.completion import SCRIPTS
from supervisor.cli.main import main
from supervisor.cli.verbs import VERBS

ROWS = [
    ("", [verb.name for verb in VERBS], "every verb"),
    ("rel", ["reload", "reload-or-restart", "reload-units"], "verbs that begin so"),
    ("nonsense", [], "nothing for what no verb begins with"),
    ("--so", ["--socket"], "an option before the verb"),
    ("--socket ", [":files"], "a file for the socket"),
    ("--socket /x ver", ["verify", "version"], "a verb after an option with its value"),
    ("--socket=/x ver", ["verify", "version"], "a verb after an option with its value in one word"),
    ("wait --f", ["--for"], "an option of the verb"),
    ("wait --for ", ["active", "inactive", "failed"], "values of an option"),
    ("wait --for=i", ["--for=inactive"], "values of an option in one word"),
    ("wait --for active --f", [], "no option twice"),
    ("kill -s US", ["USR1", "USR2"], "signals"),
    ("list --state act", ["active", "activating"], "states"),
    ("list --state failed --sta", ["--state"], "an option that may be repeated, again"),
    ("verify ", [":files"], "files"),
    ("verify -- -", [":files"], "no options after --"),
    ("help lo", ["logs"], "verbs of help"),
    ("completion ", ["bash", "zsh", "fish"], "shells"),
    ("completion bash ", [], "no more operands than the verb takes"),
    ("list-units --st", ["--state"], "options of a verb under its other name"),
    ("shutdown ", [], "nothing where nothing is taken"),
    ("nonsense ", [], "nothing after a verb that does not exist"),
]


@pytest.mark.parametrize(("line", "offered", "what"), ROWS, ids=[row[2] for row in ROWS])
def test_completion_offers(line: str, offered: list[str], what: str) -> None:
    assert [text for text, _ in complete.candidates(line.split(" "))] == offered


@pytest.mark.parametrize("shell", SCRIPTS)
def test_supctl_prints_the_script_of_a_shell(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert capsys.readouterr().out == SCRIPTS[shell]


def test_an_unknown_shell_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "tcsh"]) == 2
    assert capsys.readouterr().err == "supctl: there is no completion for 'tcsh'; there is one for bash, zsh, fish\n"


@pytest.mark.parametrize("shell", SCRIPTS)
def test_every_script_knows_the_word_for_files(shell: str) -> None:
    assert complete.FILES in SCRIPTS[shell]
