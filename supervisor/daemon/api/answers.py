"""What comes back: the schemas of the API's answers (field names as in the design's table "For scripts")."""

from supervisor.daemon.api import schema as js
from supervisor.model.errors import TRANSACTION_CODES
from supervisor.model.roles import LEVELS
from supervisor.model.states import ActiveState, ExitCode, JobMode, JobResult, JobState

_COUNT = {"type": "integer", "minimum": 0}
_SECONDS = js.nullable(js.NUMBER)
_EXIT_CODE: js.Schema = {"type": ["string", "null"], "enum": [*map(str, ExitCode), None]}

_BRIEF_REQUIRED = {
    "id": js.STRING,
    "kind": js.STRING,
    "description": js.STRING,
    "load_state": js.STRING,
    "active_state": {"type": "string", "enum": list(map(str, ActiveState))},
    "sub_state": js.STRING,
    "result": js.STRING,
    "main_pid": _COUNT,
    "n_restarts": _COUNT,
}
_BRIEF_OPTIONAL = {
    "needs_restart": js.BOOLEAN,
    "enabled": js.STRING,
    "job": js.ANY,
    "status_text": js.STRING,
    "active_enter_time_s": _SECONDS,
    "inactive_enter_time_s": _SECONDS,
    "inactive_exit_time_s": js.described(_SECONDS, "when its start began"),
    "exec_main_code": _EXIT_CODE,
    "exec_main_status": js.nullable(js.INTEGER),
    "health": js.described({"type": ["string", "null"], "enum": ["ok", "failing", None]}, "by the last answers of its health probes"),
    "next_time_s": js.described(_SECONDS, "when it is started again by itself"),
}

BRIEF = js.record(_BRIEF_REQUIRED, _BRIEF_OPTIONAL)
SHOW = js.record(
    _BRIEF_REQUIRED,
    {
        **_BRIEF_OPTIONAL,
        "control_pid": _COUNT,
        "invocation_id": js.STRING,
        "intent": js.ANY,
        "memory_current_bytes": js.nullable(js.INTEGER),
        "cpu_usage_nsec": js.nullable(js.INTEGER),
    },
)
RELATIONS: js.Schema = {"type": "object", "additionalProperties": js.STRINGS}
ALL_RELATIONS: js.Schema = {"type": "object", "additionalProperties": RELATIONS}
_FIGURES_OF_UNIT = js.record(
    {
        "memory_current_bytes": js.nullable(js.INTEGER),
        "cpu_usage_nsec": js.nullable(js.INTEGER),
        "log_bytes": _COUNT,
        "log_lost_bytes": _COUNT,
    }
)
FIGURES = js.record(
    {
        "monotonic_s": js.described(js.NUMBER, "supd's own clock, for rates between two answers"),
        "units": {"type": "object", "additionalProperties": _FIGURES_OF_UNIT},
    }
)
WHY = js.record(
    {
        "unit": js.STRING,
        "active_state": js.STRING,
        "sub_state": js.STRING,
        "because": js.array_of(js.record({"what": js.STRING, "unit": js.STRING, "time_s": _SECONDS, "text": js.STRING})),
        "next": js.nullable(js.record({"what": js.STRING, "time_s": _SECONDS})),
    }
)
DEFINITION = js.record(
    {"unit": js.STRING, "files": js.array_of(js.record({"path": js.STRING, "text": js.STRING})), "origins": {"type": "object"}}
)
LOG = js.record({"unit": js.STRING, "lines": js.STRINGS, "directory": js.STRING})
LOG_LINES = js.record(
    {
        "unit": js.STRING,
        "stream": js.STRING,
        "lines": js.array_of(
            js.record(
                {
                    "place": js.STRING,
                    "next": js.STRING,
                    "time_us": _COUNT,
                    "run": js.STRING,
                    "text": js.STRING,
                    "size_bytes": _COUNT,
                    "ends": js.BOOLEAN,
                    "continues": js.BOOLEAN,
                }
            )
        ),
        "next": js.STRING,
        "is_over": js.BOOLEAN,
    }
)
JOB_MADE = js.record({"unit": js.STRING, "job": _COUNT})
JOB_QUEUED = js.record(
    {"id": _COUNT, "unit": js.STRING, "type": js.STRING, "state": {"type": "string", "enum": list(map(str, JobState))}},
    {"waits_for": js.STRINGS, "since_s": _SECONDS},
)
JOB = js.record(
    {"id": _COUNT, "unit": js.STRING, "type": js.STRING},
    {
        "state": {"type": "string", "enum": list(map(str, JobState))},
        "result": {"type": "string", "enum": [*map(str, JobResult)]},
        "text": js.STRING,
        "waits_for": js.STRINGS,
        "since_s": _SECONDS,
    },
)
DONE = js.record({"unit": js.STRING})
SCALED = js.record({"started": js.STRINGS, "stopped": js.STRINGS, "jobs": js.array_of(_COUNT)})
CONFIG_ERROR = js.record({"file": js.STRING, "message": js.STRING}, {"line": js.nullable(js.INTEGER), "key": js.STRING, "hint": js.STRING})
RELOADED = js.record({"units": _COUNT, "errors": js.array_of(CONFIG_ERROR)})
_CHANGE = js.record({"action": js.STRING, "changed": js.STRINGS})
PLAN = js.record(
    {"units": {"type": "object", "additionalProperties": _CHANGE}, "errors": js.array_of(CONFIG_ERROR)},
    {"jobs": js.array_of(_COUNT), "rolled_back": js.STRINGS},
)
STATUS = js.record(
    {"version": js.STRING, "keeper_pid": _COUNT, "manager_pid": _COUNT, "started_time_s": js.NUMBER},
    {
        "mode": js.STRING,
        "units_directories": js.STRINGS,
        "state_directory": js.STRING,
        "log_directory": js.STRING,
        "tracking": js.STRING,
        "load_errors": {"type": "array"},
        "units": {"type": "object"},
        "jobs": js.ANY,
        "notes": js.STRINGS,
        "leaving": js.described(js.nullable(js.STRING), "while supd shuts down: what it waits for"),
        "access": js.described({"type": "string", "enum": list(LEVELS)}, "the caller's own: the highest level on any unit"),
        "rights": js.array_of(js.record({"level": {"type": "string", "enum": list(LEVELS)}, "patterns": js.nullable(js.STRINGS)})),
    },
)
VERSION = js.record({"version": js.STRING, "keeper_pid": _COUNT, "manager_pid": _COUNT, "started_time_s": js.NUMBER})
EVENT = js.record({"kind": js.STRING}, {"id": js.STRING, "time_s": js.NUMBER, "unit": js.STRING, "text": js.STRING})
RUN = js.record(
    {
        "run_id": js.STRING,
        "unit": js.STRING,
        "attempt": _COUNT,
        "started_time_s": js.NUMBER,
        "ended_time_s": _SECONDS,
        "trigger": {"type": "string", "enum": ["request", "boot", "restart", "dependency"]},
        "by": js.STRING,
        "exec_main_code": _EXIT_CODE,
        "exec_main_status": js.nullable(js.INTEGER),
        "result": js.nullable(js.STRING),
        "cpu_usage_nsec": js.nullable(js.INTEGER),
        "memory_peak_bytes": js.nullable(js.INTEGER),
        "io_read_bytes": js.nullable(js.INTEGER),
        "io_write_bytes": js.nullable(js.INTEGER),
        "log_begin": js.nullable(js.STRING),
        "log_end": js.nullable(js.STRING),
    }
)
JOB_ENDED = js.record(
    {
        "ended_time_s": js.NUMBER,
        "id": _COUNT,
        "unit": js.STRING,
        "type": js.STRING,
        "result": js.STRING,
        "text": js.STRING,
        "took_s": js.NUMBER,
    }
)
EMPTY = js.record({})

ERROR_CODES = (*TRANSACTION_CODES, "no-such-job", "bad-request", "no-such-path", "forbidden", "too-busy", "too-large", "internal")
ERROR = js.record(
    {
        "error": js.record(
            {"code": {"type": "string", "enum": list(ERROR_CODES)}, "message": js.STRING, "unit": js.STRING, "hint": js.STRING},
        )
    }
)

# restart-dependencies is for automatic restarts only (systemctl refuses it on start too), isolate is a verb of its own.
JOB_MODES = tuple(str(mode) for mode in JobMode if mode not in (JobMode.ISOLATE, JobMode.RESTART_DEPENDENCIES))

STATUS_OF_CODE = {
    "no-such-unit": 404,
    "no-such-job": 404,
    "no-such-path": 404,
    "bad-request": 400,
    "bad-setting": 409,
    "masked": 409,
    "not-applicable": 409,
    "refused": 409,
    "destructive": 409,
    "cyclic": 409,
    "contradictory": 409,
    "shutting-down": 503,
    "forbidden": 403,
    "too-busy": 503,
    "too-large": 413,
    "internal": 500,
}

HINT_OF_CODE = {
    "no-such-unit": "supctl list shows every unit",
    "no-such-job": "supctl list-jobs shows the queue; a finished job is remembered for a while only",
    "bad-setting": "supctl verify names every error with file and line",
    "masked": "supctl unmask UNIT makes it usable again",
    "not-applicable": "supctl show UNIT tells what the unit can do",
    "refused": "supctl status UNIT and supctl cat UNIT show what it is and allows",
    "destructive": "supctl list-jobs shows what is queued; --job-mode=replace overrides it",
    "cyclic": "supctl tree UNIT shows the dependencies",
    "contradictory": "the request would start and stop one unit at once; supctl tree UNIT shows why",
    "forbidden": "supd's owner says in supd.toml who may ask what",
    "shutting-down": "wait until supd has left, then start it again",
}


def error(code: str, message: str, unit: str = "", hint: str = "") -> dict[str, dict[str, str]]:
    """The body of every error answer."""
    hint = hint or HINT_OF_CODE.get(code, "").replace("UNIT", unit or "UNIT")
    return {"error": {"code": code, "message": message, "unit": unit, "hint": hint}}
