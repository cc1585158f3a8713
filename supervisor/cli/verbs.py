"""THE table of supctl's verbs: names, arguments, flags and help. Parsing, `supctl help`, completion and man pages all come from it.

Plain values only: the table is loaded by every supctl, also on the fast path.
"""

GROUPS = (
    ("jobs", "Start and stop"),
    ("look", "Look"),
    ("logs", "Logs and events"),
    ("units", "Unit files"),
    ("supd", "supd itself"),
)


class Flag:
    """One option. `value` is the name of its value ("" for a switch); `choices` are the only values allowed; `many`: may be repeated."""

    __slots__ = ("choices", "help", "is_number", "many", "names", "value")

    def __init__(
        self, names: str, help: str, value: str = "", choices: tuple[str, ...] = (), many: bool = False, is_number: bool = False
    ) -> None:
        self.names = tuple(names.split())
        self.help = help
        self.value = value
        self.choices = choices
        self.many = many
        self.is_number = is_number

    @property
    def key(self) -> str:
        """The name its value is kept under: the longest, without dashes."""
        return max(self.names, key=len).lstrip("-").replace("-", "_")


class Verb:
    """One verb. `least` and `most` bound the number of operands; `takes` says what they are, for completion.

    `takes` is "unit", "template", "file", "job", "verb", "shell" or "".
    """

    __slots__ = ("aliases", "flags", "group", "help", "least", "most", "name", "operands", "summary", "takes")

    def __init__(
        self,
        name: str,
        group: str,
        summary: str,
        operands: str = "",
        takes: str = "",
        least: int = 0,
        most: int | None = None,
        flags: tuple[Flag, ...] = (),
        help: str = "",
        aliases: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.group = group
        self.summary = summary
        self.operands = operands
        self.takes = takes
        self.least = least
        self.most = (None if operands else 0) if most is None else most
        self.flags = flags
        self.help = help
        self.aliases = aliases


JSON = Flag("--json", "print JSON, as the API gives it")
GLOBAL = (
    Flag("-H --host", "carry the verb out on this host, by ssh", "HOST"),
    Flag("--socket", "the control socket to talk to, whoever listens there", "PATH"),
    Flag("-h --help", "show this help"),
)
STATE = Flag("--state", "units in this active, sub or load state; may be repeated", "STATE", many=True)

JOB_MODES = ("replace", "fail", "replace-irreversibly", "flush", "ignore-dependencies", "ignore-requirements")
THEMES = ("supd-dark", "supd-light", "supd-cb")  # of the terminal UI; the last for every kind of colour blindness
ENDED = "Exit status: 0 when every job is done, 1 when one failed, 5 for an unknown unit."
SIGNALS = "a name (TERM, SIGTERM) or a number"

_JOB_FLAGS = (
    Flag("--no-block", "enqueue the jobs and do not wait for them"),
    Flag("--job-mode", "what to do with jobs that are queued already", "MODE", JOB_MODES),
    STATE,
    JSON,
)
_QUIET = Flag("-q --quiet", "print nothing")
_WAIT = Flag("--wait", "wait until the units have ended again")
_NOW = Flag("--now", "start (or stop) it too")
_WAITING = "Waits for the jobs; Ctrl-C stops the waiting, not the jobs. On failure it prints the step, the reason and the last output.\n"

_JOB_HELP = _WAITING + ENDED

VERBS = (
    Verb("start", "jobs", "Start units", "UNIT...", "unit", 0, None, (*_JOB_FLAGS, _WAIT), _JOB_HELP),
    Verb("stop", "jobs", "Stop units", "UNIT...", "unit", 0, None, _JOB_FLAGS, _JOB_HELP),
    Verb("restart", "jobs", "Stop and start units; start those that are down", "UNIT...", "unit", 0, None,
         (*_JOB_FLAGS, _WAIT), _JOB_HELP),
    Verb("try-restart", "jobs", "Restart units that are up, leave the others", "UNIT...", "unit", 0, None, _JOB_FLAGS, _JOB_HELP),
    Verb("reload", "jobs", "Ask units to read their configuration again", "UNIT...", "unit", 0, None, _JOB_FLAGS, _JOB_HELP),
    Verb("reload-or-restart", "jobs", "Reload units that can, restart the others", "UNIT...", "unit", 0, None, _JOB_FLAGS, _JOB_HELP),
    Verb("isolate", "jobs", "Start one unit and stop every other", "UNIT", "unit", 1, 1, (_JOB_FLAGS[0], JSON),
         "The unit needs allow_isolate = true."),
    Verb("kill", "jobs", "Send a signal to the processes of units", "UNIT...", "unit", 0, None,
         (Flag("-s --signal", f"the signal: {SIGNALS}; TERM if not given", "SIGNAL"),
          Flag("--kill-whom", "which processes", "WHOM", ("all", "main", "control")), STATE)),
    Verb("reset-failed", "jobs", "Forget failures, restart counters and start limits", "[UNIT...]", "unit", 0, None, (STATE,),
         "Without a unit: of all."),
    Verb("scale", "jobs", "Run this many instances of a template", "TEMPLATE N", "template", 2, 2, (JSON,),
         "supctl scale worker 8 makes worker@1 to worker@8 run, and stops every one beyond."),
    Verb("list-jobs", "jobs", "Show queued jobs and what they wait for", "", "", flags=(JSON,)),
    Verb("cancel", "jobs", "Cancel queued jobs", "JOB...", "job", 1, None),
    Verb("status", "look", "Show the state of units, or of everything", "[UNIT...]", "unit", 0, None,
         (Flag("-n --lines", "how many log lines to show", "N", is_number=True), STATE, JSON),
         "Without a unit: an overview. Exit status: 0 active, 3 not active, 4 no such unit."),
    Verb("list", "look", "List units in a table", "[PATTERN...]", "unit", 0, None,
         (Flag("-w --watch", "show it again whenever something changes, until Ctrl-C"), STATE, JSON), aliases=("list-units",)),
    Verb("show", "look", "Show every property of units", "UNIT...", "unit", 0, None,
         (Flag("-p --property", "only this property; may be repeated", "NAME", many=True),
          Flag("--value", "print values without names"), STATE, JSON)),
    Verb("tree", "look", "Show dependencies with their states", "[UNIT...]", "unit", 0, None,
         (Flag("--reverse", "what depends on it instead"), JSON), aliases=("list-dependencies",)),
    Verb("why", "look", "Explain why a unit is in its state, and what comes next", "UNIT...", "unit", 1, None, (JSON,)),
    Verb("top", "look", "Show CPU and memory of units, refreshed", "[PATTERN...]", "unit", 0, None,
         (Flag("-n --iterations", "how many times, then end", "N", is_number=True),
          Flag("-d --delay", "seconds between two looks (2)", "SECONDS", is_number=True), JSON)),
    Verb("tui", "look", "Show everything live, and act on it, on a whole terminal", "[UNIT]", "unit", 0, 1,
         (Flag("--read-only", "offer nothing that changes anything"),
          Flag("--theme", f"colours: {', '.join(THEMES)}, or any of Textual's; kept for the next time", "THEME"),
          Flag("--ascii", "plain characters instead of symbols and lines"),
          Flag("--web", "show it in a browser on this machine; the address that is printed opens it"),
          Flag("--port", "with --web: the port of 127.0.0.1 (a free one)", "N", is_number=True)),
         "With a unit: begin at it. q leaves the screen and stops nothing; ? shows every key. Keys of one's own stand in\n"
         "$XDG_CONFIG_HOME/supd/keys.toml, as in \"unit.stop\" = \"ctrl+x\"."),
    Verb("is-active", "look", "Say whether units are active", "UNIT...", "unit", 0, None, (_QUIET, STATE, JSON),
         "Exit status: 0 when one is, 3 when none is, 4 when there is no such unit."),
    Verb("is-failed", "look", "Say whether units have failed", "[UNIT...]", "unit", 0, None, (_QUIET, STATE, JSON),
         "Exit status: 0 when one has, 1 when none has, 4 when there is no such unit."),
    Verb("is-enabled", "look", "Say whether units start at boot", "UNIT...", "unit", 1, None, (_QUIET, JSON),
         "Exit status: 0 when one does, 1 when none does, 4 when there is no such unit."),
    Verb("wait", "look", "Wait until units are in a state", "UNIT...", "unit", 1, None,
         (Flag("--for", "the state to wait for (active)", "STATE", ("active", "inactive", "failed")),
          Flag("--timeout", "give up after this time, as in \"1min 30s\"", "SPAN")),
         "Exit status: 0 when all are, 1 when one failed instead, 124 when the time was over first."),
    Verb("logs", "logs", "Show what units wrote", "[UNIT...]", "unit", 0, None,
         (Flag("-u --unit", "a unit; may be repeated", "UNIT", many=True), Flag("-f --follow", "go on as lines come"),
          Flag("-n --lines", "how many of the last lines (10 with -f, otherwise 1000; \"all\")", "N"),
          Flag("-o --output", "with times as journalctl (short), with dates, the text alone, or JSON", "FORM",
               ("short", "short-iso", "cat", "json")),
          Flag("-g --grep", "only lines that this regular expression matches; without a capital letter case does not matter", "PATTERN"),
          Flag("-S --since", "from this time on: -5min, today, \"2026-01-02 03:04\"", "TIME"),
          Flag("-U --until", "up to this time", "TIME"),
          Flag("--run", "only this run: its id, 0 for the last, -1 for the one before", "ID"),
          Flag("-r --reverse", "newest first"),
          Flag("--stderr", "only what came from a standard error that is kept apart (standard_error = \"log\")"),
          Flag("--raw", "do not neutralise escape sequences on a terminal")),
         "Several units are merged by time; `supctl logs supd` shows what supd itself said. As with journalctl times are shown in pipes\n"
         "too: -o cat is for scripts, and of one unit, into a file or pipe, byte-exact."),
    Verb("events", "logs", "Show what happened", "", "", flags=(
        Flag("-f --follow", "go on as it happens"),
        Flag("-n --lines", "how many of the last events (100; 10 with -f)", "N", is_number=True), JSON)),
    Verb("history", "logs", "Show the runs of a unit, or of all: when, why, how they ended, at what cost", "[UNIT]", "unit", 0, 1,
         (Flag("-n --lines", "how many of the newest runs (20)", "N", is_number=True), Flag("--jobs", "the jobs that ended instead"), JSON),
         "Oldest first. A run that goes on has no result yet; \"unknown\" is one whose end nobody saw."),
    Verb("cat", "units", "Show unit files", "UNIT...", "unit", 1, None,
         (Flag("--origins", "show each value in force and where it comes from"), JSON),
         "With --json each definition has \"values\": for each key {value, origin}; origin is FILE:LINE, \"default\" or \"implied\"."),
    Verb("edit", "units", "Edit a unit's file, checked before it is kept", "UNIT", "unit", 1, 1, help="Uses $VISUAL, $EDITOR or vi."),
    Verb("enable", "units", "Start units at boot", "UNIT...", "unit", 1, None, (_NOW,)),
    Verb("disable", "units", "Do not start units at boot", "UNIT...", "unit", 1, None, (_NOW,)),
    Verb("mask", "units", "Make it impossible to start units", "UNIT...", "unit", 1, None, (_NOW,)),
    Verb("unmask", "units", "Make masked units usable again", "UNIT...", "unit", 1, None),
    Verb("apply", "units", "Bring what runs in line with the unit files", "[UNIT...]", "unit", 0, None,
         (Flag("--plan", "show what would be done, and do nothing"), JSON),
         "Reads the unit files, starts what is new and enabled, restarts or reloads what changed, and stops what is gone, whatever\n"
         "on_change says; with units, patterns or templates (web@: its instances), these alone. Files that vanished in numbers are\n"
         "believed, and a named unit that was rolled back is tried again.\n"
         "Exit status: 0 when every job is done, 1 when one failed or the files have errors."),
    Verb("reload-units", "units", "Read the unit files again; nothing is restarted", "", "", flags=(JSON,), aliases=("daemon-reload",)),
    Verb("verify", "units", "Check unit files without a daemon", "[FILE...]", "file", 0, None,
         (Flag("--timespan", "check and normalise a time span", "SPAN"), Flag("--calendar", "check a calendar expression", "EXPR"), JSON),
         "Without a file: every unit file of the directory that supd would use. Exit status: 0 without errors, 1 with errors."),
    Verb("shutdown", "supd", "Stop everything in order, then end supd", "", "",
         flags=(Flag("--keep-services", "end supd alone; services run on, and the next supd takes them over"),
                Flag("--no-block", "do not wait until supd has ended")),
         help="Shows what supd waits for until it has ended."),
    Verb("reexec", "supd", "Replace supd by the version now installed; no service is restarted", "", ""),
    Verb("version", "supd", "Show the versions of supctl and supd", "", "", flags=(JSON,)),
    Verb("completion", "supd", "Print the script that completes verbs, options and units in a shell", "SHELL", "shell", 1, 1,
         help="SHELL is bash, zsh or fish. In ~/.bashrc: eval \"$(supctl completion bash)\""),
    Verb("help", "supd", "Show help for a verb", "[VERB]", "verb", 0, 1),
)  # fmt: skip

BY_NAME = {name: verb for verb in VERBS for name in (verb.name, *verb.aliases)}
