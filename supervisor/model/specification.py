"""What a unit is meant to be: the checked, frozen form of a unit file.

`config` makes these values, `engine` decides by them, `daemon` carries them out. They hold plain values only (strings,
integers, tuples, None) so that the specification store can write them as JSON and read them back without pydantic.

Laws:
- Every time span is in microseconds (`_us`); `None` means "infinity", that is: never.
- Every reference to another unit is its full name after specifiers and aliases are resolved.
- Defaults here are supd's; where they differ from systemd's, `config.differences` says so.
"""

from dataclasses import dataclass, field

SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Command:
    """One Exec* line, split but not yet expanded (`systemd.service(5)`, COMMAND LINES).

    `path` is the program as written (absolute, or a bare name looked up in the unit's PATH); `argv` are the words, `argv[0]`
    included, in which `$X`, `${X}` and `$$` still stand unless `is_verbatim`.
    """

    path: str
    argv: tuple[str, ...]
    ignores_failure: bool = False  # "-"
    is_verbatim: bool = False  # ":"
    privilege: str = ""  # "", "+" (all restrictions lifted) or "!" (only user and group lifted)


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition_* or assert_* line: `kind` is the suffix in snake_case ("path_exists")."""

    kind: str
    argument: str
    is_negated: bool = False  # "!"
    is_trigger: bool = False  # "|"


@dataclass(frozen=True, slots=True)
class Dependencies:
    """Edges that start at this unit, as written; the engine derives the reverse ones."""

    after: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    requisite: tuple[str, ...] = ()
    wants: tuple[str, ...] = ()
    binds_to: tuple[str, ...] = ()
    part_of: tuple[str, ...] = ()
    upholds: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    propagates_reload_to: tuple[str, ...] = ()
    propagates_stop_to: tuple[str, ...] = ()
    on_failure: tuple[str, ...] = ()
    on_success: tuple[str, ...] = ()
    required_by: tuple[str, ...] = ()
    wanted_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StatusSet:
    """A list of exit codes and signals, as in SuccessExitStatus=."""

    codes: tuple[int, ...] = ()
    signals: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Probe:
    """One question asked of a running unit again and again.

    stage: "startup", "ready" or "health". kind: "http", "tcp", "unix", "exec", "log" or "fd". target: URL, "host:port",
    socket path, "" (exec: see `command`), regular expression, or descriptor number as text.
    """

    stage: str
    kind: str
    target: str
    command: Command | None = None
    interval_us: int = SECOND_US
    timeout_us: int = 5 * SECOND_US
    initial_delay_us: int = 0
    success_threshold: int = 1
    failure_threshold: int = 3


@dataclass(frozen=True, slots=True)
class Directory:
    """One *_directory entry: `base` is "runtime", "state", "cache", "logs" or "configuration"; `path` lies under that root."""

    base: str
    path: str
    mode: int = 0o755


@dataclass(frozen=True, slots=True)
class EnvironmentFile:
    path: str
    is_optional: bool = False  # "-"


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit_* pair for setrlimit(2): `resource` is "NOFILE", "CORE" ...; None is infinity."""

    resource: str
    soft: int | None
    hard: int | None


@dataclass(frozen=True, slots=True)
class Execution:
    """The execution context of every process of a unit (`systemd.exec(5)`)."""

    working_directory: str = ""  # "" is the mode's default; "~" the user's home
    working_directory_is_optional: bool = False  # "-"
    user: str = ""
    group: str = ""
    supplementary_groups: tuple[str, ...] = ()
    umask: int = 0o022
    environment: tuple[tuple[str, str], ...] = ()
    environment_files: tuple[EnvironmentFile, ...] = ()
    pass_environment: tuple[str, ...] = ()
    unset_environment: tuple[str, ...] = ()
    limits: tuple[Limit, ...] = ()
    nice: int | None = None
    cpu_affinity: tuple[int, ...] = ()
    io_scheduling_class: int | None = None
    io_scheduling_priority: int | None = None
    oom_score_adjust: int | None = None
    no_new_privileges: bool = False
    capability_bounding_set: tuple[int, ...] | None = None  # None: untouched
    ambient_capabilities: tuple[int, ...] = ()
    directories: tuple[Directory, ...] = ()
    runtime_directory_preserve: str = "no"  # "no", "yes", "restart"
    credentials: tuple[tuple[str, str], ...] = ()  # (id, path)
    standard_input: str = "null"  # "null" or "file:PATH"
    standard_output: str = "log"  # "log", "null", "inherit", "file:PATH", "append:PATH", "truncate:PATH", "unit:NAME"
    standard_error: str = "inherit"  # of standard_output, as systemd's; "log": a stream of its own


@dataclass(frozen=True, slots=True)
class Service:
    """The life of a service or a task (`systemd.service(5)`). A task is a oneshot with `max_attempts`."""

    type: str = "exec"  # exec, simple, notify, notify-reload, forking, oneshot, idle
    exec_condition: tuple[Command, ...] = ()
    exec_start_pre: tuple[Command, ...] = ()
    exec_start: tuple[Command, ...] = ()
    exec_start_post: tuple[Command, ...] = ()
    exec_reload: tuple[Command, ...] = ()
    exec_stop: tuple[Command, ...] = ()
    exec_stop_post: tuple[Command, ...] = ()
    remain_after_exit: bool = False
    exit_type: str = "main"  # "main" or "cgroup"
    pid_file: str = ""
    guess_main_pid: bool = True

    restart: str = "no"  # no, always, on-success, on-failure, on-abnormal, on-abort, on-watchdog
    restart_mode: str = "normal"  # "normal" or "direct"
    restart_us: int | None = 100_000
    restart_steps: int = 0
    restart_max_delay_us: int | None = None
    restart_jitter: float = 0.0  # share of the delay, 0..1, added at random
    restart_reset_us: int | None = 60 * SECOND_US  # a run this long starts the back-off anew; None: never
    max_attempts: int | None = None  # None: no bound (a service)

    timeout_start_us: int | None = 90 * SECOND_US
    timeout_stop_us: int | None = 90 * SECOND_US
    timeout_abort_us: int | None = 90 * SECOND_US
    timeout_start_failure_mode: str = "terminate"  # terminate, abort, kill
    timeout_stop_failure_mode: str = "terminate"
    runtime_max_us: int | None = None
    watchdog_us: int | None = None

    kill_mode: str = "control-group"  # control-group, mixed, process, none
    kill_signal: int = 15
    restart_kill_signal: int | None = None
    final_kill_signal: int = 9
    watchdog_signal: int = 6
    reload_signal: int = 1
    send_sigkill: bool = True
    send_sighup: bool = False

    success_exit_status: StatusSet = StatusSet()
    restart_prevent_exit_status: StatusSet = StatusSet()
    restart_force_exit_status: StatusSet = StatusSet()

    notify_access: str = "none"  # none, main, exec, all
    file_descriptor_store_max: int = 0
    file_descriptor_store_preserve: str = "restart"  # no, yes, restart
    sockets: tuple[str, ...] = ()
    probes: tuple[Probe, ...] = ()


@dataclass(frozen=True, slots=True)
class Log:
    """[log]: how a unit's output is kept. A rate limit without bytes or without an interval is none."""

    max_size_bytes: int = 128 << 20  # a segment is closed at this size
    max_age_us: int | None = None  # and at this age
    keep: int = 16  # segments, the one that is written among them
    compress: bool = False
    rate_limit_interval_us: int | None = 30 * SECOND_US
    rate_limit_bytes: int = 0
    forward: tuple[str, ...] = ()  # "journald", "syslog:/PATH", "syslog:udp:HOST:PORT", "syslog:tcp:HOST:PORT"


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit, whole. `service` and `execution` are None for a target."""

    id: str
    kind: str  # "service", "task" or "target"
    description: str = ""
    documentation: tuple[str, ...] = ()
    fragment_path: str = ""
    drop_in_paths: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    dependencies: Dependencies = Dependencies()
    conditions: tuple[Condition, ...] = ()
    asserts: tuple[Condition, ...] = ()
    is_enabled: bool = True
    enabled_state: str = "enabled"  # what `is-enabled` prints: enabled, disabled, static, masked, template ...
    start_limit_interval_us: int | None = 10 * SECOND_US
    start_limit_burst: int = 5
    start_limit_policy: str = "give-up"  # or "delay"
    refuse_manual_start: bool = False
    refuse_manual_stop: bool = False
    allow_isolate: bool = False
    ignore_on_isolate: bool = False
    stop_when_unneeded: bool = False
    recover_dependents: bool = True
    failure_action: str = "none"  # none, exit, exit-force
    success_action: str = "none"
    failure_action_exit_status: int | None = None
    success_action_exit_status: int | None = None
    on_failure_job_mode: str = "replace"
    on_success_job_mode: str = "fail"
    on_change: str = "ignore"  # restart, reload, ignore
    service: Service | None = None
    execution: Execution | None = None
    log: Log = Log()
    is_masked: bool = False
    load_error: str = ""  # not empty: the unit exists but cannot be used ("bad-setting")

    def __post_init__(self) -> None:
        if self.kind != "target" and (self.service is None or self.execution is None) and not self.is_unusable:
            raise ValueError(f"unit {self.id}: kind {self.kind} needs a service and an execution context")

    @property
    def is_unusable(self) -> bool:
        return self.is_masked or bool(self.load_error)


@dataclass(frozen=True, slots=True)
class UnitSet:
    """Every unit that is loaded, by name, with the boot set; `generation` rises by one at each load."""

    units: dict[str, Unit] = field(default_factory=dict)
    generation: int = 0
