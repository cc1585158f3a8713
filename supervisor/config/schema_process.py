"""The keys of [service] and [task]: the execution context that both share, the life of a service, the attempts of a task.

The same contract as in `schema`. The meaning of a key with a systemd directive is that directive's, in `systemd.exec(5)`,
`systemd.kill(5)` or `systemd.service(5)`.
"""

from typing import Annotated, Any

from pydantic import BeforeValidator

from supervisor.config.exec_kinds import (
    ACCOUNT,
    ACCOUNTS,
    CAPABILITY_SET,
    COMMANDS,
    CPUS,
    CREDENTIALS,
    DIRECTORIES,
    ENVIRONMENT,
    ENVIRONMENT_FILES,
    INPUT,
    IO_CLASS,
    LIMIT,
    LIMITS,
    OUTPUT,
    UNSET,
    VARIABLE_NAMES,
    WORKING_DIRECTORY,
)
from supervisor.config.kinds import (
    BOOLEAN,
    LATER,
    MODE_BITS,
    SIGNAL,
    STATUSES,
    TEXT,
    TIME_SPAN,
    TIME_SPAN_0_IS_NEVER,
    integer,
    one_of,
    share,
)
from supervisor.config.schema import Table, assembled, key, later
from supervisor.model.specification import Command, EnvironmentFile, Limit, StatusSet

TYPES = ("exec", "simple", "notify", "notify-reload", "forking", "oneshot", "idle")
_COUNT = integer(1, 2**31 - 1, "number")
_COUNT_0 = integer(0, 2**31 - 1, "number")
_PRESERVE = one_of("no", "yes", "restart")
_FAILURE_MODE = one_of("terminate", "abort", "kill")
_Commands = tuple[Command, ...]
_Names = tuple[str, ...]

DIRECTORY_BASES = ("runtime", "state", "cache", "logs", "configuration")


class _ExecutionTable(Table):
    """What every process of a unit is started with (`systemd.exec(5)`)."""

    working_directory: Annotated[tuple[str, bool], WORKING_DIRECTORY] = key(
        None, "WorkingDirectory", 'Where processes start; "~" is the user\'s home, "-" before the path lets it be missing.'
    )
    user: Annotated[str, ACCOUNT] = key(None, "User", "Runs as this user.", "user")
    group: Annotated[str, ACCOUNT] = key(None, "Group", "Runs in this group; by default the user's.", "group")
    supplementary_groups: Annotated[_Names, ACCOUNTS] = key([], "SupplementaryGroups", "Further groups.", "supplementary_groups")
    umask: Annotated[int, MODE_BITS] = key("0022", "UMask", "Permission bits that new files do not get.", "umask")
    environment: Annotated[tuple[tuple[str, str], ...], ENVIRONMENT] = key({}, "Environment", "Variables.", "environment")
    environment_file: Annotated[tuple[EnvironmentFile, ...], ENVIRONMENT_FILES] = key(
        [], "EnvironmentFile", 'Files with variables, read before each start; "-" before the path lets it be missing.', "environment_files"
    )
    pass_environment: Annotated[_Names, VARIABLE_NAMES] = key(
        [], "PassEnvironment", "Variables passed on from supd's own environment.", "pass_environment"
    )
    unset_environment: Annotated[_Names, UNSET] = key([], "UnsetEnvironment", "Variables taken out at last.", "unset_environment")
    nice: Annotated[int, integer(-20, 19)] = key(None, "Nice", "Scheduling priority; 19 is the least.", "nice")
    cpu_affinity: Annotated[tuple[int, ...], CPUS] = key([], "CPUAffinity", "Runs on these CPUs only.", "cpu_affinity")
    io_scheduling_class: Annotated[int, IO_CLASS] = key(None, "IOSchedulingClass", "I/O scheduling class.", "io_scheduling_class")
    io_scheduling_priority: Annotated[int, integer(0, 7)] = key(
        None, "IOSchedulingPriority", "I/O priority in its class; 7 is the least.", "io_scheduling_priority"
    )
    oom_score_adjust: Annotated[int, integer(-1000, 1000)] = key(
        None, "OOMScoreAdjust", "How soon it is killed when memory is short.", "oom_score_adjust"
    )
    standard_input: Annotated[str, INPUT] = key("null", "StandardInput", "What descriptor 0 is.", "standard_input")
    standard_output: Annotated[str, OUTPUT] = key(
        "log", "StandardOutput", "What descriptor 1 is; unit:NAME is that unit's log.", "standard_output"
    )
    standard_error: Annotated[str, OUTPUT] = key(
        "inherit", "StandardError", 'What descriptor 2 is; "inherit" is descriptor 1, "log" keeps it apart from it.', "standard_error"
    )
    no_new_privileges: Annotated[bool, BOOLEAN] = key(False, "NoNewPrivileges", "No program it runs gains privileges.", "no_new_privileges")
    capability_bounding_set: Annotated[tuple[int, ...], CAPABILITY_SET] = key(
        None, "CapabilityBoundingSet", 'Capabilities it can have at most; "~" before the first: all but these.', "capability_bounding_set"
    )
    ambient_capabilities: Annotated[tuple[int, ...], CAPABILITY_SET] = key(
        [], "AmbientCapabilities", "Capabilities it has although it is not root.", "ambient_capabilities"
    )
    runtime_directory_preserve: Annotated[str, _PRESERVE] = key(
        "no", "RuntimeDirectoryPreserve", "Whether runtime_directory outlives a stop.", "runtime_directory_preserve"
    )
    load_credential: Annotated[tuple[tuple[str, str], ...], CREDENTIALS] = key(
        {}, "LoadCredential", "Files copied to $CREDENTIALS_DIRECTORY, readable for the unit alone.", "credentials"
    )
    private_tmp: Annotated[None, LATER] = later("PrivateTmp", "A /tmp of its own.")
    private_network: Annotated[None, LATER] = later("PrivateNetwork", "A network of its own, empty.")
    protect_system: Annotated[None, LATER] = later("ProtectSystem", "System directories are read-only.")
    protect_home: Annotated[None, LATER] = later("ProtectHome", "Home directories are out of sight.")
    read_write_paths: Annotated[None, LATER] = later("ReadWritePaths", "Writable nevertheless.")
    memory_max: Annotated[None, LATER] = later("MemoryMax", "Memory it can have at most.")
    memory_high: Annotated[None, LATER] = later("MemoryHigh", "Memory beyond which it is slowed down.")
    cpu_quota: Annotated[None, LATER] = later("CPUQuota", "CPU time it can have at most.")
    tasks_max: Annotated[None, LATER] = later("TasksMax", "Processes and threads it can have at most.")
    python: Annotated[None, LATER] = later("", "A Python callable instead of a program.")


_families: dict[str, Any] = {}
for _resource in LIMITS:
    _families[f"limit_{_resource.lower()}"] = (
        Annotated[Limit, LIMIT],
        key(None, f"Limit{_resource}", f"RLIMIT_{_resource} of setrlimit(2)."),
    )
for _base in DIRECTORY_BASES:
    _families[f"{_base}_directory"] = (
        Annotated[_Names, DIRECTORIES],
        key([], f"{_base.capitalize()}Directory", f"Made under the {_base} root before the start, and owned by the user."),
    )
    _families[f"{_base}_directory_mode"] = (
        Annotated[int, MODE_BITS],
        key("0755", f"{_base.capitalize()}DirectoryMode", "Its permission bits."),
    )
EXECUTION_TABLE = assembled("ExecutionTable", (_ExecutionTable,), _families)


class ProbeTable(Table):
    """[service.startup], [service.ready] or [service.health]: questions asked of a running unit."""

    http: Annotated[str, TEXT] = key(None, "", "A URL that must answer with 2xx or 3xx.")
    tcp: Annotated[str, TEXT] = key(None, "", 'A "host:port" that must take a connection.')
    unix: Annotated[str, TEXT] = key(None, "", "A socket's path that must take a connection.")
    exec: Annotated[_Commands, COMMANDS] = key(None, "", "A command that must exit with 0.")
    log: Annotated[str, TEXT] = key(None, "", "A regular expression that a line of its output must match.")
    fd: Annotated[int, integer(3, 1023)] = key(None, "", "A descriptor on which it must write a line end.")
    interval_sec: Annotated[int | None, TIME_SPAN] = key("1s", "", "The time between two questions.", "interval_us")
    timeout_sec: Annotated[int | None, TIME_SPAN_0_IS_NEVER] = key("5s", "", "No answer in this time is a bad one.", "timeout_us")
    initial_delay_sec: Annotated[int | None, TIME_SPAN] = key("0", "", "The time before the first question.", "initial_delay_us")
    success_threshold: Annotated[int, _COUNT] = key(1, "", "So many good answers in a row count as good.", "success_threshold")
    failure_threshold: Annotated[int, _COUNT] = key(3, "", "So many bad answers in a row count as bad.", "failure_threshold")


def _as_list(value: object) -> object:
    return [value] if isinstance(value, dict) else value


_Probes = Annotated[list[ProbeTable], BeforeValidator(_as_list)]


class _LifeMixin(Table):
    """The keys that a service and a task have in common, besides the execution context."""

    exec_condition: Annotated[_Commands, COMMANDS] = key([], "ExecCondition", "Decides whether it starts at all.", "exec_condition")
    exec_start_pre: Annotated[_Commands, COMMANDS] = key([], "ExecStartPre", "Run before exec_start.", "exec_start_pre")
    exec_start: Annotated[_Commands, COMMANDS] = key([], "ExecStart", "The program itself.", "exec_start")
    exec_start_post: Annotated[_Commands, COMMANDS] = key([], "ExecStartPost", "Run once it is up.", "exec_start_post")
    exec_stop: Annotated[_Commands, COMMANDS] = key([], "ExecStop", "Run to stop it, if it had come up.", "exec_stop")
    exec_stop_post: Annotated[_Commands, COMMANDS] = key([], "ExecStopPost", "Run when it is down, however it ended.", "exec_stop_post")
    remain_after_exit: Annotated[bool, BOOLEAN] = key(
        False, "RemainAfterExit", "Counts as up after its processes have ended.", "remain_after_exit"
    )
    timeout_stop_sec: Annotated[int | None, TIME_SPAN_0_IS_NEVER] = key(
        "1min 30s", "TimeoutStopSec", "The time to stop, before it is killed.", "timeout_stop_us"
    )
    timeout_abort_sec: Annotated[int | None, TIME_SPAN_0_IS_NEVER] = key(
        None, "TimeoutAbortSec", "The same after an abort; by default timeout_stop_sec."
    )
    timeout_start_failure_mode: Annotated[str, _FAILURE_MODE] = key(
        "terminate", "TimeoutStartFailureMode", "What a start that takes too long meets.", "timeout_start_failure_mode"
    )
    timeout_stop_failure_mode: Annotated[str, _FAILURE_MODE] = key(
        "terminate", "TimeoutStopFailureMode", "What a stop that takes too long meets.", "timeout_stop_failure_mode"
    )
    kill_mode: Annotated[str, one_of("control-group", "mixed", "process", "none")] = key(
        "control-group", "KillMode", "Which processes a stop kills.", "kill_mode"
    )
    kill_signal: Annotated[int, SIGNAL] = key("SIGTERM", "KillSignal", "The signal that asks it to stop.", "kill_signal")
    restart_kill_signal: Annotated[int, SIGNAL] = key(
        None, "RestartKillSignal", "The same for a restart; by default kill_signal.", "restart_kill_signal"
    )
    final_kill_signal: Annotated[int, SIGNAL] = key("SIGKILL", "FinalKillSignal", "The signal that leaves no choice.", "final_kill_signal")
    watchdog_signal: Annotated[int, SIGNAL] = key("SIGABRT", "WatchdogSignal", "The signal of an abort.", "watchdog_signal")
    send_sigkill: Annotated[bool, BOOLEAN] = key(True, "SendSIGKILL", "Whether final_kill_signal is ever sent.", "send_sigkill")
    send_sighup: Annotated[bool, BOOLEAN] = key(False, "SendSIGHUP", "SIGHUP follows kill_signal.", "send_sighup")
    success_exit_status: Annotated[StatusSet, STATUSES] = key(
        [], "SuccessExitStatus", "Further statuses and signals that mean success.", "success_exit_status"
    )


class _ServiceKeys(_LifeMixin):
    """[service]: a program that is kept running (`systemd.service(5)`)."""

    type: Annotated[
        str,
        one_of(*TYPES, elsewhere={"dbus": "there is no D-Bus here; use notify"}),
    ] = key("exec", "Type", "How it tells that it is up.", "type")
    exec_reload: Annotated[_Commands, COMMANDS] = key([], "ExecReload", "Run to make it read its configuration again.", "exec_reload")
    exit_type: Annotated[str, one_of("main", "cgroup")] = key("main", "ExitType", "Whose end is its end.", "exit_type")
    pid_file: Annotated[str, TEXT] = key("", "PIDFile", "Where a forking service writes its main process.")
    guess_main_pid: Annotated[bool, BOOLEAN] = key(True, "GuessMainPID", "Guess it where there is no PID file.", "guess_main_pid")
    restart: Annotated[
        str,
        one_of(
            "no",
            "always",
            "on-success",
            "on-failure",
            "on-abnormal",
            "on-abort",
            "on-watchdog",
            elsewhere={"unless-stopped": 'did you mean "always"? What a person stopped stays stopped', "never": 'did you mean "no"?'},
        ),
    ] = key("no", "Restart", "After which ends it is started again.", "restart")
    restart_mode: Annotated[str, one_of("normal", "direct")] = key(
        "normal", "RestartMode", "Whether a restart is seen by dependents and on_failure.", "restart_mode"
    )
    restart_sec: Annotated[int | None, TIME_SPAN] = key("100ms", "RestartSec", "The time before it is started again.", "restart_us")
    restart_steps: Annotated[int, _COUNT_0] = key(
        0, "RestartSteps", "In so many steps restart_sec grows to restart_max_delay_sec.", "restart_steps"
    )
    restart_max_delay_sec: Annotated[int | None, TIME_SPAN] = key(
        "infinity", "RestartMaxDelaySec", "The longest time before it is started again.", "restart_max_delay_us"
    )
    restart_jitter: Annotated[float, share()] = key(0, "", "A random share of the delay is added, up to this.", "restart_jitter")
    restart_reset_sec: Annotated[int | None, TIME_SPAN_0_IS_NEVER] = key(
        "1min", "", "After a run this long the delay begins anew at restart_sec.", "restart_reset_us"
    )
    restart_prevent_exit_status: Annotated[StatusSet, STATUSES] = key(
        [], "RestartPreventExitStatus", "Never started again after these.", "restart_prevent_exit_status"
    )
    restart_force_exit_status: Annotated[StatusSet, STATUSES] = key(
        [], "RestartForceExitStatus", "Always started again after these.", "restart_force_exit_status"
    )
    timeout_sec: Annotated[int | None, TIME_SPAN_0_IS_NEVER] = key(None, "TimeoutSec", "Short for timeout_start_sec and timeout_stop_sec.")
    timeout_start_sec: Annotated[int | None, TIME_SPAN_0_IS_NEVER] = key(
        "1min 30s", "TimeoutStartSec", "The time to come up; none for oneshot.", "timeout_start_us"
    )
    runtime_max_sec: Annotated[int | None, TIME_SPAN] = key("infinity", "RuntimeMaxSec", "The time it may run at all.", "runtime_max_us")
    watchdog_sec: Annotated[int | None, TIME_SPAN_0_IS_NEVER] = key(
        "infinity", "WatchdogSec", "The longest time between two signs of life.", "watchdog_us"
    )
    reload_signal: Annotated[int, SIGNAL] = key("SIGHUP", "ReloadSignal", "What reloads a notify-reload service.", "reload_signal")
    notify_access: Annotated[str, one_of("none", "main", "exec", "all")] = key(
        "none", "NotifyAccess", "Whose notifications count; main is implied where they are needed.", "notify_access"
    )
    file_descriptor_store_max: Annotated[int, _COUNT_0] = key(
        0, "FileDescriptorStoreMax", "So many descriptors supd keeps for it.", "file_descriptor_store_max"
    )
    file_descriptor_store_preserve: Annotated[str, _PRESERVE] = key(
        "restart", "FileDescriptorStorePreserve", "Whether they outlive a stop.", "file_descriptor_store_preserve"
    )
    sockets: Annotated[None, LATER] = later("Sockets", "Units whose sockets it gets.")
    startup: _Probes = key(None, "", "Must be answered well before the other questions are asked.")
    ready: _Probes = key(None, "", "Must be answered well before it counts as up.")
    health: _Probes = key(None, "", "Must be answered well all along; bad answers count as a watchdog's.")


class _TaskKeys(_LifeMixin):
    """[task]: a program that runs to its end: a oneshot service that counts attempts."""

    max_attempts: Annotated[int, _COUNT] = key(1, "", "So many times it is tried before it has failed.", "max_attempts")
    retry_sec: Annotated[int | None, TIME_SPAN] = key("100ms", "RestartSec", "The time before it is tried again.", "restart_us")
    retry_steps: Annotated[int, _COUNT_0] = key(
        0, "RestartSteps", "In so many steps retry_sec grows to retry_max_delay_sec.", "restart_steps"
    )
    retry_max_delay_sec: Annotated[int | None, TIME_SPAN] = key(
        "infinity", "RestartMaxDelaySec", "The longest time before it is tried again.", "restart_max_delay_us"
    )
    timeout_sec: Annotated[int | None, TIME_SPAN_0_IS_NEVER] = key(
        "infinity", "TimeoutStartSec", "The time one attempt may take.", "timeout_start_us"
    )


SERVICE_TABLE = assembled("ServiceTable", (_ServiceKeys, EXECUTION_TABLE), {})
TASK_TABLE = assembled("TaskTable", (_TaskKeys, EXECUTION_TABLE), {})
