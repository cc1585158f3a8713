"""Every key that is a directive of systemd's, with every value of a large pool: refused here as systemd 252 refuses it.

The pool crosses the kinds (a signal where a path is meant, and so on), so each key also meets what it was not made for. What differs on
purpose is listed by kind, with the reason.
"""

import pytest
from pydantic import ValidationError

from supervisor.config import mode
from supervisor.config.decode import _MODELS
from supervisor.config.kinds import Context
from supervisor.config.schema import KeyInfo, keys_of
from supervisor.config.specifiers import Specifiers
from supervisor.model.integers import parse_integer
from tests.parsers.systemd import Systemd

# fmt: off
POOL = [
    "0", "1", "5", "-1", "+5", "7", "8", "19", "20", "-20", "-21", "1000", "1001", "-1000", "4294967295", "4294967296", "0x10", "010",
    "022", "0022", "0777", "07777", "10000", "1.5", "1e3", "infinity", "INFINITY", "0s", "500ms", "1min 30s", "5 x", "1us", "0.5",
    "-5s", "1h", "64M", "1.5G", "1 M", "1k", "50%", "101%", "1024:2048", "2048:1024", "1024:", ":5", "SIGTERM", "TERM", "sigterm",
    "int", "SIGRTMIN+1", "34", "RTMIN+99", "SIGKILL", "15", "SIGIOT", "TEMPFAIL", "256", "300", "exec", "yes", "no", "true", "on", "y",
    "2", "abc", "é", "-a", "a.b", "A", "A-B", "1A", "A=1", "a:b", "a:b:c", "\x7f", "x\ty", "/tmp", "tmp", "~", "-/x", "/a/../b",
    "/a//b/", "~/x", "-", "--/x", "a/b", "../a", "/", ".", "..", "%h", "%%", "%n", "0-1", "0,1", "1-0", "0-", "null", "tty", "journal",
    "inherit", "file:/x", "append:/x", "truncate:/x", "file:x", "fd:x", "data", "socket", "none", "main", "all", "control-group",
    "mixed", "process", "Process", "root", "nobody", "root:root", "65535", "CAP_CHOWN", "cap_chown", "~CAP_CHOWN", "best-effort",
    "idle", "realtime", "restart", "direct", "always", "on-failure", "On-failure", "never", "oneshot", "notify", "notify-reload",
    "simple", "forking", "dbus", "terminate", "abort", "kill", "exit", "exit-force", "reboot", "/bin/true", "/bin/x 'a", "-@/bin/x y",
    "@/bin/x",
]
# fmt: on
SYMLINKS = {text for text in POOL if ":" in text and "/" not in text}  # beside a unit's own directories there are none here
BOOLEANS = {"0", "1", "yes", "no", "true", "false", "on", "off", "y", "n"}
# Kinds whose notation is TOML's or supd's own, so that a value's text means something else there.
OWN_NOTATION = {
    "boolean": "TOML's booleans",
    "list of units": "names without a suffix",
    "table of strings": "TOML's tables",
    "table of paths": "TOML's tables",
    "list of strings": "documentation may be any text, a file of the project too",
    "list of capabilities": "an unknown one is an error, of which systemd says nothing",
}
# By the kind or the name of a key.
DIFFERENT = {
    "list of CPUs": {"+5", "0x10", "07777", "4294967295"},  # numbers up to 8191, in digits
    **{f"{base}_directory": SYMLINKS for base in ("runtime", "state", "cache", "logs")},
    "configuration_directory": {"1024:", ":5"},  # the same
    "standard_output": {"tty", "journal", "socket", "fd:x"},  # there are none here
    "standard_error": {"tty", "journal", "socket", "fd:x"},  # the same
    "null or file:PATH": {"tty", "data", "socket", "fd:x"},
    "one of none, exit, exit-force": {"reboot"},  # supd is not the machine's
    "one of none, realtime, best-effort, idle": {"5", "+5", "7", "8", "010"},  # there are four
    "one of no, yes, restart": BOOLEANS - {"yes", "no"},
    "unset_environment": {"%n"},  # without a suffix it is a variable's name
    "number": {"4294967295"},
    "pid_file": {"/a/../b", "../a", ".."},  # refused when the whole unit is looked at
    "one of exec, simple, notify, notify-reload, forking, oneshot, idle": {"notify-reload", "dbus"},  # since 253; never
}
SINCE_252 = {"RestartMode", "RestartSteps", "RestartMaxDelaySec", "ReloadSignal", "FileDescriptorStorePreserve"}
INSTALL = {"RequiredBy", "WantedBy", "Alias"}  # read by `systemctl enable`
SECTIONS = {"unit": "Unit", "service": "Service"}
KEYS = [
    info
    for table in SECTIONS
    for info in keys_of(table, _MODELS[table])
    if info.systemd and info.is_supported and info.systemd not in SINCE_252 | INSTALL and info.kind not in OWN_NOTATION
]


def as_toml(info: KeyInfo, text: str) -> object:
    """The value as a unit file would have it: plain numbers and lists are TOML's."""
    number = parse_integer(text) if info.kind.startswith("number") or info.name == "io_scheduling_class" else None
    if number is not None:
        return number
    return text.split() if info.kind.startswith("list") and info.name != "environment_file" else text


def is_refused_here(info: KeyInfo, text: str) -> bool:
    context = Context("x", mode.system(), Specifiers("x", mode.system()))
    try:
        _MODELS[info.table].model_validate({info.name: as_toml(info, text)}, context=context)
    except ValidationError:
        return True
    return False


@pytest.mark.parametrize("info", KEYS, ids=lambda info: f"{info.table}.{info.name}")
def test_a_value_is_refused_here_as_it_is_there(systemd: Systemd, info: KeyInfo) -> None:
    for text in POOL:
        complaints = systemd.ask("setting", SECTIONS[info.table], info.systemd, text)
        assert complaints is not None, f"{info.systemd} is no directive of systemd 252"
        is_refused = any("unknown escape" not in complaint and "This is unsafe" not in complaint for complaint in complaints)
        is_different = text in DIFFERENT.get(info.kind, ()) or text in DIFFERENT.get(info.name, ())
        assert (is_refused_here(info, text) == is_refused) != is_different, (text, complaints)


def test_every_directive_is_named_as_systemd_names_it(systemd: Systemd) -> None:
    later = {info.systemd for table in SECTIONS for info in keys_of(table, _MODELS[table]) if info.systemd} - SINCE_252 - INSTALL
    unknown = {name for name in later if not any(systemd.ask("setting", section, name, "") is not None for section in SECTIONS.values())}
    assert unknown == set()
