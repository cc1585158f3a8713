"""The command line of supctl: what it takes, and the one line it answers mistakes with."""

import pytest

from supervisor.cli import help
from supervisor.cli.arguments import UsageError, read
from supervisor.cli.verbs import BY_NAME, GROUPS, VERBS, Verb

READ = [
    ("start web", "start", ["web"], {}),
    ("start web db --no-block", "start", ["web", "db"], {"no_block": True}),
    ("--socket /s start web", "start", ["web"], {"socket": "/s"}),
    ("start --socket=/s web", "start", ["web"], {"socket": "/s"}),
    ("start --job-mode fail web", "start", ["web"], {"job_mode": "fail"}),
    ("start --state=failed", "start", [], {"state": ["failed"]}),
    ("list --state=failed,active --state dead", "list", [], {"state": ["failed", "active", "dead"]}),
    ("logs -fn20 web", "logs", ["web"], {"follow": True, "lines": "20"}),
    ("logs -u a -u b -o cat", "logs", [], {"unit": ["a", "b"], "output": "cat"}),
    ("kill -s HUP web", "kill", ["web"], {"signal": "HUP"}),
    ("kill -- -web", "kill", ["-web"], {}),
    ("status", "status", [], {}),
    ("status -n 3 web", "status", ["web"], {"lines": 3}),
    ("daemon-reload", "reload-units", [], {}),
    ("list-units", "list", [], {}),
    ("start --help", "start", [], {"help": True}),
    ("scale worker 8", "scale", ["worker", "8"], {}),
    ("show -p id,kind web --value", "show", ["web"], {"property": ["id", "kind"], "value": True}),
]


@pytest.mark.parametrize(("line", "verb", "operands", "options"), READ, ids=[row[0] for row in READ])
def test_a_line_is_read_as(line: str, verb: str, operands: list[str], options: dict[str, object]) -> None:
    arguments = read(line.split())
    assert arguments.verb is not None
    assert (arguments.verb.name, arguments.operands, arguments.options) == (verb, operands, options)


REFUSED = [
    ("strat web", "there is no verb 'strat' (did you mean 'start'?); `supctl help` lists the verbs"),
    ("xyzzy", "there is no verb 'xyzzy'; `supctl help` lists the verbs"),
    ("start --no-blok web", "start has no option --no-blok (did you mean '--no-block'?); `supctl help start` lists them"),
    ("start -x web", "start has no option -x; `supctl help start` lists them"),
    ("--jsn list", "there is no option --jsn; a verb's own options stand after the verb"),
    ("start", "start needs UNIT...; usage: supctl start [OPTIONS] UNIT..."),
    ("scale worker", "scale needs TEMPLATE N; usage: supctl scale [OPTIONS] TEMPLATE N"),
    ("shutdown now", "shutdown takes no argument 'now'; usage: supctl shutdown [OPTIONS]"),
    ("isolate a b", "isolate takes no argument 'b'; usage: supctl isolate [OPTIONS] UNIT"),
    ("start --job-mode perhaps web", "--job-mode must be one of replace, fail, replace-irreversibly, flush, ignore-dependencies, "
     "ignore-requirements, not 'perhaps'"),
    ("start web --job-mode", "--job-mode needs a value: --job-mode MODE"),
    ("logs ''", "logs was given an empty name (a variable that is not set?); usage: supctl logs [OPTIONS] [UNIT...]"),
    ("stop web ''", "stop was given an empty name (a variable that is not set?); usage: supctl stop [OPTIONS] UNIT..."),
    ("logs -u ''", "logs was given an empty name (a variable that is not set?); usage: supctl logs [OPTIONS] [UNIT...]"),
    ("start --no-block=yes web", "--no-block takes no value"),
    ("status -n ten web", "-n needs a number, not 'ten'"),
    ("kill --kill-whom mian web", "--kill-whom must be one of all, main, control, not 'mian' (did you mean 'main'?)"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "message"), REFUSED, ids=[row[0] for row in REFUSED])
def test_a_mistake_is_one_line_with_the_nearest_match(line: str, message: str) -> None:
    with pytest.raises(UsageError) as error:
        read([word.strip("'") for word in line.split()])
    assert str(error.value) == message


DESIGNED = (
    "start stop restart try-restart reload reload-or-restart kill status show list tree is-active is-failed is-enabled wait cat edit logs "
    "enable disable mask unmask scale reset-failed isolate reload-units daemon-reload events top why verify shutdown reexec version"
)


def test_every_verb_of_the_design_is_in_the_table() -> None:
    assert [name for name in DESIGNED.split() if name not in BY_NAME] == []


def test_every_verb_has_someone_who_carries_it_out() -> None:
    from supervisor.cli.main import _carrier

    assert [verb.name for verb in VERBS if verb.name != "help" and not callable(_carrier(verb.name))] == []


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_a_verb_explains_itself(verb: Verb) -> None:
    text = help.of_verb(verb)
    assert verb.group in dict(GROUPS)
    assert verb.summary in help.overview()
    assert text.startswith(f"supctl {verb.name}")
    assert [name for flag in verb.flags for name in flag.names if name not in text] == []
    keys = [flag.key for flag in verb.flags]
    assert len(keys) == len(set(keys))
    assert all(len(line) <= 140 for line in text.splitlines())
