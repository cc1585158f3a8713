"""The hostile units, by name."""

from tests.hostile.siege import child

PHASES = ("exec_condition", "exec_start_pre", "exec_start", "exec_start_post", "exec_reload", "exec_stop", "exec_stop_post")
EXITS_AT_ONCE = """
[unit]
enabled = false
start_limit_interval_sec = 0
[service]
type = "simple"
exec_start = "/bin/false"
restart = "always"
restart_sec = 0
"""


def huge(variables: int) -> str:
    """An environment file with so many of 100,000 bytes; an exec takes a quarter of the stack's limit at most."""
    return "".join(f"HUGE{number}={'z' * 100_000}\n" for number in range(variables))


def dies_in(phase: str) -> str:
    lines = {"exec_start": '"sleep 1000"', phase: "\"sh -c 'kill -KILL $$$$'\""}
    keys = "\n".join(f"{name} = {command}" for name, command in lines.items())
    return f"[unit]\nenabled = false\nstart_limit_interval_sec = 0\n[service]\ntimeout_stop_sec = 1\n{keys}\n"


UNITS = {
    **{
        name: child(name)
        for name in (
            "ignores_term",
            "deserter",
            "fork_bomb",
            "stops_itself",
            "leaks",
            "leaves_the_pipe",
            "floods_notify",
            "disguises_itself",
            "leaves_zombies",
        )
    },
    **{f"dies-in-{phase}": dies_in(phase) for phase in PHASES},
    "exits-at-once": EXITS_AT_ONCE,
    "hangs-in-stop-post": child("shows_its_environment", 'exec_stop_post = "sh -c \'trap \\"\\" TERM; sleep 1000 & wait; sleep 1000\'"'),
    "hangs-in-stop": child("shows_its_environment", 'exec_stop = "sleep 1000"'),
    "huge": child("shows_its_environment", 'environment_file = "huge.env"'),
    "huger": child("shows_its_environment", 'environment_file = "huger.env"'),
}
FILES = {"huge.env": huge(15), "huger.env": huge(25)}
