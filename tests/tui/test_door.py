"""The way into the terminal UI: only `supctl tui` loads Textual, and what cannot be shown is said in a sentence."""

import subprocess
import sys

import pytest

from supervisor.cli.verbs import VERBS
from supervisor.client.discovery import Place
from supervisor.tui.main import label_of, run

WITHOUT = """
import sys
from supervisor.cli.main import _carrier
for verb in {verbs!r}:
    _carrier(verb)
print([name for name in sys.modules if name.partition(".")[0] in ("textual", "rich") or name.startswith("supervisor.tui")])
"""


def test_no_other_verb_loads_textual() -> None:
    verbs = [verb.name for verb in VERBS if verb.name not in ("help", "tui")]
    done = subprocess.run([sys.executable, "-c", WITHOUT.format(verbs=verbs)], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_without_a_terminal_it_says_what_to_type_instead() -> None:
    command = [sys.executable, "-m", "supervisor.cli.main", "--socket", "/nonexistent/supd.sock", "tui"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 1
    assert done.stderr == (
        "supctl: cannot show the screen: this is not a terminal that can be painted on\n"
        "  next: supctl status for one look, supctl list --watch for a table that follows\n"
    )


def test_an_unknown_theme_is_told_with_those_that_there_are() -> None:
    trouble = run(Place("/nonexistent/supd.sock", "--socket"), theme="supd-drak")
    assert trouble.startswith("cannot use the theme 'supd-drak': there is none of that name; there are supd-dark, supd-light, supd-cb, ")


LABELS = [
    (Place("/home/me/shop/.supd/supd.sock", "the project"), "shop"),
    (Place("/run/supd/supd.sock", "the system's instance"), "system"),
    (Place("/run/user/1000/supd/supd.sock", "the user's instance"), "user"),
    (Place("/tmp/other.sock", "--socket"), "other.sock"),
]


@pytest.mark.parametrize(("place", "label"), LABELS, ids=[row[1] for row in LABELS])
def test_a_supd_is_called_what_a_person_calls_it(place: Place, label: str) -> None:
    assert label_of(place) == label
