"""In which of three settings supd runs, and every default that follows from it (DESIGN, "Two modes").

A project keeps everything below its own directory; a system or user instance has systemd's paths and clean environment. This is the one
place that knows those roots. It decides nothing about a unit and imports nothing heavy: the manager needs it before the first spawn.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass

FIXED_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
UNINHERITED_PREFIXES = ("NOTIFY_", "LISTEN_", "WATCHDOG_", "SUPD_")


@dataclass(frozen=True, slots=True)
class Mode:
    """Where units, state and a unit's own directories lie, and what a unit that says nothing gets."""

    kind: str  # "project", "user" or "system"
    unit_directories: tuple[str, ...]  # the first wins by name
    state_directory: str  # supd's own: overrides, specification store, intent
    runtime_directory: str  # supd's own: sockets
    project_directory: str  # what relative paths in unit files are relative to; "": they are refused
    working_directory: str  # of a unit that names none
    inherits_environment: bool  # supd's own environment is the base; otherwise a clean one with FIXED_PATH
    on_change: str  # default of unit.on_change: "restart" or "ignore"
    runtime_root: str  # %t, runtime_directory=
    state_root: str  # %S, state_directory=
    cache_root: str  # %C, cache_directory=
    logs_root: str  # %L, logs_directory=
    configuration_root: str  # %E, configuration_directory=


def project(
    unit_directories: tuple[str, ...] | list[str],
    *,
    state_directory: str = "",
    runtime_directory: str = "",
    on_change: str = "restart",
) -> Mode:
    """Project mode: `units/` (or what --units names) and `.supd/` beside the first of them."""
    directories = tuple(os.path.abspath(directory) for directory in unit_directories)
    home = os.path.dirname(directories[0])
    own = state_directory or os.path.join(home, ".supd")
    return Mode(
        kind="project",
        unit_directories=directories,
        state_directory=os.path.abspath(own),
        runtime_directory=os.path.abspath(runtime_directory or own),
        project_directory=home,
        working_directory=home,
        inherits_environment=True,
        on_change=on_change,
        runtime_root=os.path.abspath(os.path.join(runtime_directory or own, "run")),
        state_root=os.path.abspath(os.path.join(own, "state")),
        cache_root=os.path.abspath(os.path.join(own, "cache")),
        logs_root=os.path.abspath(os.path.join(own, "log")),
        configuration_root=home,
    )


def user(
    environ: Mapping[str, str],
    *,
    state_directory: str = "",
    runtime_directory: str = "",
    on_change: str = "ignore",
) -> Mode:
    """A user's instance: the XDG directories, as `systemd.unit(5)` ("user units") has them."""
    home = environ.get("HOME") or os.path.expanduser("~")
    configuration = _absolute(environ.get("XDG_CONFIG_HOME"), f"{home}/.config")
    data = _absolute(environ.get("XDG_DATA_HOME"), f"{home}/.local/share")
    state = _absolute(environ.get("XDG_STATE_HOME"), f"{home}/.local/state")
    cache = _absolute(environ.get("XDG_CACHE_HOME"), f"{home}/.cache")
    own = state_directory or f"{state}/supd"
    runtime = _absolute(environ.get("XDG_RUNTIME_DIR"), f"{own}/run")
    return Mode(
        kind="user",
        unit_directories=(f"{configuration}/supd/units", f"{runtime}/supd/units", f"{data}/supd/units"),
        state_directory=os.path.abspath(own),
        runtime_directory=os.path.abspath(runtime_directory or f"{runtime}/supd"),
        project_directory="",
        working_directory=home,
        inherits_environment=False,
        on_change=on_change,
        runtime_root=runtime,
        state_root=state,
        cache_root=cache,
        logs_root=f"{state}/log",
        configuration_root=configuration,
    )


def system(*, state_directory: str = "", runtime_directory: str = "", on_change: str = "ignore") -> Mode:
    """The system's instance, run by root."""
    return Mode(
        kind="system",
        unit_directories=("/etc/supd/units", "/run/supd/units", "/usr/local/lib/supd/units", "/usr/lib/supd/units"),
        state_directory=os.path.abspath(state_directory or "/var/lib/supd"),
        runtime_directory=os.path.abspath(runtime_directory or "/run/supd"),
        project_directory="",
        working_directory="/",
        inherits_environment=False,
        on_change=on_change,
        runtime_root="/run",
        state_root="/var/lib",
        cache_root="/var/cache",
        logs_root="/var/log",
        configuration_root="/etc",
    )


def roles_file(mode: Mode) -> str:
    """Where `supd.toml` is looked for: it says who besides the owner and root may ask. A project's lies with its state."""
    directory = mode.state_directory if mode.kind == "project" else os.path.join(mode.configuration_root, "supd")
    return os.path.join(directory, "supd.toml")


def _absolute(path: str | None, default: str) -> str:
    """An XDG variable's value; a relative one is to be ignored, says the XDG base directory specification."""
    return path.rstrip("/") if path and path.startswith("/") and path != "/" else default
