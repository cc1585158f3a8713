"""The words for what a unit, a job and a process can be.

Every word is systemd's (`systemd.service(5)`, `systemctl(1)`, SEMANTICS 5.1 and 5.4), spelled as systemd prints it,
so that a member's value is what stands in JSON, on screens and in the state that outlives the manager.
"""

from enum import StrEnum


class LoadState(StrEnum):
    """Whether a unit has a usable definition."""

    LOADED = "loaded"
    NOT_FOUND = "not-found"
    BAD_SETTING = "bad-setting"
    MASKED = "masked"


class ActiveState(StrEnum):
    """The coarse state that all kinds of unit share."""

    ACTIVE = "active"
    RELOADING = "reloading"
    INACTIVE = "inactive"
    FAILED = "failed"
    ACTIVATING = "activating"
    DEACTIVATING = "deactivating"

    @property
    def is_up(self) -> bool:
        """Active or reloading: the unit does its work."""
        return self in _UP

    @property
    def is_down(self) -> bool:
        """Inactive or failed: nothing of the unit runs and nothing is on its way."""
        return self in _DOWN


_UP = frozenset({ActiveState.ACTIVE, ActiveState.RELOADING})
_DOWN = frozenset({ActiveState.INACTIVE, ActiveState.FAILED})


class SubState(StrEnum):
    """The fine state of a service, a task or a target; `ACTIVE_OF` gives the coarse one."""

    DEAD = "dead"
    CONDITION = "condition"
    START_PRE = "start-pre"
    START = "start"
    START_POST = "start-post"
    RUNNING = "running"
    EXITED = "exited"
    RELOAD = "reload"
    RELOAD_SIGNAL = "reload-signal"
    RELOAD_NOTIFY = "reload-notify"
    STOP = "stop"
    STOP_WATCHDOG = "stop-watchdog"
    STOP_SIGTERM = "stop-sigterm"
    STOP_SIGKILL = "stop-sigkill"
    STOP_POST = "stop-post"
    FINAL_WATCHDOG = "final-watchdog"
    FINAL_SIGTERM = "final-sigterm"
    FINAL_SIGKILL = "final-sigkill"
    FAILED = "failed"
    DEAD_BEFORE_AUTO_RESTART = "dead-before-auto-restart"
    FAILED_BEFORE_AUTO_RESTART = "failed-before-auto-restart"
    AUTO_RESTART = "auto-restart"
    AUTO_RESTART_QUEUED = "auto-restart-queued"
    TARGET_ACTIVE = "active"


ACTIVE_OF: dict[SubState, ActiveState] = {
    SubState.DEAD: ActiveState.INACTIVE,
    SubState.CONDITION: ActiveState.ACTIVATING,
    SubState.START_PRE: ActiveState.ACTIVATING,
    SubState.START: ActiveState.ACTIVATING,
    SubState.START_POST: ActiveState.ACTIVATING,
    SubState.RUNNING: ActiveState.ACTIVE,
    SubState.EXITED: ActiveState.ACTIVE,
    SubState.RELOAD: ActiveState.RELOADING,
    SubState.RELOAD_SIGNAL: ActiveState.RELOADING,
    SubState.RELOAD_NOTIFY: ActiveState.RELOADING,
    SubState.STOP: ActiveState.DEACTIVATING,
    SubState.STOP_WATCHDOG: ActiveState.DEACTIVATING,
    SubState.STOP_SIGTERM: ActiveState.DEACTIVATING,
    SubState.STOP_SIGKILL: ActiveState.DEACTIVATING,
    SubState.STOP_POST: ActiveState.DEACTIVATING,
    SubState.FINAL_WATCHDOG: ActiveState.DEACTIVATING,
    SubState.FINAL_SIGTERM: ActiveState.DEACTIVATING,
    SubState.FINAL_SIGKILL: ActiveState.DEACTIVATING,
    SubState.FAILED: ActiveState.FAILED,
    SubState.DEAD_BEFORE_AUTO_RESTART: ActiveState.INACTIVE,
    SubState.FAILED_BEFORE_AUTO_RESTART: ActiveState.FAILED,
    SubState.AUTO_RESTART: ActiveState.ACTIVATING,
    SubState.AUTO_RESTART_QUEUED: ActiveState.ACTIVATING,
    SubState.TARGET_ACTIVE: ActiveState.ACTIVE,
}


class Result(StrEnum):
    """How the last run of a unit ended (`$SERVICE_RESULT` of systemd.exec(5))."""

    SUCCESS = "success"
    RESOURCES = "resources"
    PROTOCOL = "protocol"
    TIMEOUT = "timeout"
    EXIT_CODE = "exit-code"
    SIGNAL = "signal"
    CORE_DUMP = "core-dump"
    WATCHDOG = "watchdog"
    START_LIMIT_HIT = "start-limit-hit"
    OOM_KILL = "oom-kill"
    EXEC_CONDITION = "exec-condition"


class ExitCode(StrEnum):
    """How a process ended (`$EXIT_CODE`); `UNKNOWN` where the kernel could not tell."""

    EXITED = "exited"
    KILLED = "killed"
    DUMPED = "dumped"
    UNKNOWN = "unknown"


class JobType(StrEnum):
    """What a job does once installed. The collapsing verbs are requests and never installed."""

    START = "start"
    VERIFY_ACTIVE = "verify-active"
    STOP = "stop"
    RELOAD = "reload"
    RESTART = "restart"
    # Collapse to one of the above, or to nothing, by the state of the unit when they are planned.
    TRY_RESTART = "try-restart"
    TRY_RELOAD = "try-reload"
    RELOAD_OR_START = "reload-or-start"


class JobState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"


class JobResult(StrEnum):
    """How a job ended (systemctl's words)."""

    DONE = "done"
    CANCELED = "canceled"
    TIMEOUT = "timeout"
    FAILED = "failed"
    DEPENDENCY = "dependency"
    SKIPPED = "skipped"
    INVALID = "invalid"
    ASSERT = "assert"
    UNSUPPORTED = "unsupported"


class JobMode(StrEnum):
    """How a transaction treats queued jobs and dependencies (`systemctl --job-mode`)."""

    REPLACE = "replace"
    FAIL = "fail"
    REPLACE_IRREVERSIBLY = "replace-irreversibly"
    ISOLATE = "isolate"
    FLUSH = "flush"
    IGNORE_DEPENDENCIES = "ignore-dependencies"
    IGNORE_REQUIREMENTS = "ignore-requirements"
    RESTART_DEPENDENCIES = "restart-dependencies"


class Phase(StrEnum):
    """Which Exec* line a process runs."""

    CONDITION = "condition"
    START_PRE = "start-pre"
    START = "start"
    START_POST = "start-post"
    RELOAD = "reload"
    STOP = "stop"
    STOP_POST = "stop-post"


class Wanted(StrEnum):
    """What a person last asked of a unit."""

    UP = "up"
    DOWN = "down"
