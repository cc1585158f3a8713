"""Every key whose default, or whose meaning, is unlike systemd's on purpose: the one table from which the documentation's is made."""

from typing import NamedTuple


class Difference(NamedTuple):
    """`ours` and `systemds` are what happens, or the default, in the notation of a unit file."""

    key: str
    ours: str
    systemds: str
    reason: str


DIFFERENCES = (
    Difference(
        "service.type", '"exec"', '"simple"', "A program that cannot be started is a failed start, not a running service that died."
    ),
    Difference(
        "service.restart_reset_sec",
        '"1min"',
        "never",
        "After a run this long the back-off begins anew; in systemd only a person resets it, so one bad night slows every later restart.",
    ),
    Difference(
        "service.restart_jitter", "0, and it can be set", "not available", "Many units that fail together need not come back together."
    ),
    Difference(
        "unit.recover_dependents",
        "true",
        "not available (false)",
        "Units that failed with `dependency` come back when the dependency does; in systemd they stay failed until somebody looks.",
    ),
    Difference(
        "unit.start_limit_policy",
        '"give-up", and "delay" can be set',
        '"give-up"',
        "Slowing down may be better than staying down for ever.",
    ),
    Difference(
        "unit.enabled", "true for a service", "an [Install] section and `systemctl enable`", "What lies in the directory is meant to run."
    ),
    Difference(
        "unit.on_change",
        '"restart" in project mode',
        '"ignore"',
        "Whoever edits a unit in a project wants to see it run; elsewhere as systemd.",
    ),
    Difference(
        "unit.start_limit_interval_sec",
        "0 for a task with max_attempts above 1",
        '"10s"',
        "max_attempts is the bound; the start limit would end the attempts before it is reached.",
    ),
    Difference(
        "service.working_directory", "the project's directory in project mode", '"/"', "A project's programs expect to start where it lies."
    ),
    Difference("service.environment", "on top of supd's own in project mode", "on top of a clean one", "As if started from the shell."),
    Difference("service.exec_start", "a bare name is looked up in PATH in project mode", "in a fixed list of directories", "The same."),
    Difference(
        "service.standard_output",
        '"log"',
        '"journal"',
        "There is no journal here; each unit's output goes to its own files, byte for byte.",
    ),
    Difference(
        "service.standard_error",
        '"log" is a stream of its own, told apart by `supctl logs --stderr`',
        "the same as standard_output shares its descriptor",
        'Who writes "log" where "inherit" is the default wants the two apart.',
    ),
    Difference("service.restart_steps", "an error without restart_max_delay_sec", "ignored with a warning", "No key is silently ignored."),
    Difference("service.runtime_max_sec", "an error for a oneshot", "ignored with a warning", "No key is silently ignored."),
    Difference(
        "service.kill_signal", "an unknown signal is an error", "ignored with a warning", "A wrong value is an error for every key."
    ),
    Difference(
        "unit.upholds", "a unit that a person stopped stays down", "it is started again", "What a person stopped is started by nobody else."
    ),
    Difference(
        "unit.upholds",
        "a unit that hit its start limit stays down until somebody starts it",
        "it is tried again every 10 s",
        'A start limit that says give up means it; start_limit_policy = "delay" goes on trying.',
    ),
    Difference(
        "unit.wants", "an automatic restart leaves down what a person stopped", "it is started again", "The same: intent outlives restarts."
    ),
    Difference(
        "unit.on_failure",
        "at most 16 times in 10 s for jobs that failed before they began",
        "without a bound",
        "Two units that name each other would go round for ever.",
    ),
    Difference(
        "service.notify_access",
        "MAINPID= of a process outside the unit is refused, whoever sends it",
        "believed from root",
        "No datagram may have supd signal a stranger.",
    ),
    Difference(
        "service.limit_nofile",
        "a limit above what supd may give is refused by name, as for every limit_*",
        "silently lowered",
        "A fence is where the file says, or nothing starts.",
    ),
    Difference("service.environment_file", "relative paths in project mode", "absolute paths only", "A project's paths are its own."),
    Difference("specifiers", "\\x00 in an instance's name is an error for %I", "it ends the text", "No argument can hold a NUL."),
    Difference("specifiers", "%n has no suffix", "%n is NAME.service", "A unit has one name, which is its file's stem."),
)

# Scenarios of tests/agreement in which supd behaves unlike systemd 252 on purpose, with the reason.
BEHAVIOURS = {
    "context/signals": "Every signal has its default disposition: systemd ignores SIGPIPE (IgnoreSIGPIPE=), and pipelines run on.",
    "dependencies/upholds-stopped": "What a person stopped stays down.",
    "notify/main-pid-handed-on": "How the process that became the main one ended is told; systemd takes the empty cgroup for its end.",
    "notify/main-pid-handed-on-old-fails": "How the process that became the main one ended is told; systemd takes the empty cgroup for it.",
    "phases/forking-parent-fails": "The status of the parent that failed is shown, and the restart lists apply to it.",
    "phases/forking-parent-hangs": "The status of the parent that failed is shown, and the restart lists apply to it.",
    "phases/forking-parent-killed": "The status of the parent that failed is shown, and the restart lists apply to it.",
    "phases/start-missing-forking": "The status of the parent that failed is shown, and the restart lists apply to it.",
}

# The same for rows of the products there, by a pattern of their names.
PRODUCT_BEHAVIOURS = {
    "ends/simple-sigpipe-*": "Every signal has its default disposition: systemd ignores SIGPIPE (IgnoreSIGPIPE=), and the program goes on.",
    "pairs/upholds-*-stop-b": "What a person stopped stays down.",
    "plain/upholds-*-stop-b": "What a person stopped stays down.",
}
