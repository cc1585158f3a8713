"""Exit statuses and signals by name and number, and the status with which a child reports the set-up step that failed.

The names are those of `systemd-analyze exit-status` and `systemd.exec(5)` ("Process Exit Codes"). Signal names go with or without
"SIG"; real-time signals are RTMIN+n and RTMAX-n counted as glibc does (34 to 64). `tests/parsers` holds all of it to systemd 252.
"""

from supervisor.model.integers import parse_integer

EXIT_STATUS_NUMBERS: dict[str, int] = {
    "SUCCESS": 0,
    "FAILURE": 1,
    "INVALIDARGUMENT": 2,
    "NOTIMPLEMENTED": 3,
    "NOPERMISSION": 4,
    "NOTINSTALLED": 5,
    "NOTCONFIGURED": 6,
    "NOTRUNNING": 7,
    "USAGE": 64,
    "DATAERR": 65,
    "NOINPUT": 66,
    "NOUSER": 67,
    "NOHOST": 68,
    "UNAVAILABLE": 69,
    "SOFTWARE": 70,
    "OSERR": 71,
    "OSFILE": 72,
    "CANTCREAT": 73,
    "IOERR": 74,
    "TEMPFAIL": 75,
    "PROTOCOL": 76,
    "NOPERM": 77,
    "CONFIG": 78,
    "CHDIR": 200,
    "NICE": 201,
    "FDS": 202,
    "EXEC": 203,
    "MEMORY": 204,
    "LIMITS": 205,
    "OOM_ADJUST": 206,
    "SIGNAL_MASK": 207,
    "STDIN": 208,
    "STDOUT": 209,
    "CHROOT": 210,
    "IOPRIO": 211,
    "TIMERSLACK": 212,
    "SECUREBITS": 213,
    "SETSCHEDULER": 214,
    "CPUAFFINITY": 215,
    "GROUP": 216,
    "USER": 217,
    "CAPABILITIES": 218,
    "CGROUP": 219,
    "SETSID": 220,
    "CONFIRM": 221,
    "STDERR": 222,
    "PAM": 224,
    "NETWORK": 225,
    "NAMESPACE": 226,
    "NO_NEW_PRIVILEGES": 227,
    "SECCOMP": 228,
    "SELINUX_CONTEXT": 229,
    "PERSONALITY": 230,
    "APPARMOR": 231,
    "ADDRESS_FAMILIES": 232,
    "RUNTIME_DIRECTORY": 233,
    "CHOWN": 235,
    "SMACK_PROCESS_LABEL": 236,
    "KEYRING": 237,
    "STATE_DIRECTORY": 238,
    "CACHE_DIRECTORY": 239,
    "LOGS_DIRECTORY": 240,
    "CONFIGURATION_DIRECTORY": 241,
    "NUMA_POLICY": 242,
    "CREDENTIALS": 243,
    "BPF": 244,
    "EXCEPTION": 255,
}
_EXIT_STATUS_NAMES = {number: name for name, number in EXIT_STATUS_NUMBERS.items()}

# Between fork and exec, and in the preparation before: the step's name to the status that systemd.exec(5) gives it.
SETUP_STEP_STATUS: dict[str, int] = {
    "session": EXIT_STATUS_NUMBERS["SETSID"],
    "signals": EXIT_STATUS_NUMBERS["SIGNAL_MASK"],
    "cgroup": EXIT_STATUS_NUMBERS["CGROUP"],
    "limits": EXIT_STATUS_NUMBERS["LIMITS"],
    "nice": EXIT_STATUS_NUMBERS["NICE"],
    "cpu_affinity": EXIT_STATUS_NUMBERS["CPUAFFINITY"],
    "io_priority": EXIT_STATUS_NUMBERS["IOPRIO"],
    "oom_score_adjust": EXIT_STATUS_NUMBERS["OOM_ADJUST"],
    "namespaces": EXIT_STATUS_NUMBERS["NAMESPACE"],
    "groups": EXIT_STATUS_NUMBERS["GROUP"],
    "user": EXIT_STATUS_NUMBERS["USER"],
    "capabilities": EXIT_STATUS_NUMBERS["CAPABILITIES"],
    "no_new_privileges": EXIT_STATUS_NUMBERS["NO_NEW_PRIVILEGES"],
    "directory": EXIT_STATUS_NUMBERS["CHDIR"],
    "stdin": EXIT_STATUS_NUMBERS["STDIN"],
    "stdout": EXIT_STATUS_NUMBERS["STDOUT"],
    "stderr": EXIT_STATUS_NUMBERS["STDERR"],
    "descriptors": EXIT_STATUS_NUMBERS["FDS"],
    "environment": EXIT_STATUS_NUMBERS["MEMORY"],
    "runtime_directory": EXIT_STATUS_NUMBERS["RUNTIME_DIRECTORY"],
    "state_directory": EXIT_STATUS_NUMBERS["STATE_DIRECTORY"],
    "cache_directory": EXIT_STATUS_NUMBERS["CACHE_DIRECTORY"],
    "logs_directory": EXIT_STATUS_NUMBERS["LOGS_DIRECTORY"],
    "configuration_directory": EXIT_STATUS_NUMBERS["CONFIGURATION_DIRECTORY"],
    "credentials": EXIT_STATUS_NUMBERS["CREDENTIALS"],
    "exec": EXIT_STATUS_NUMBERS["EXEC"],
}

# In the order of their numbers, from 1 (Linux on every architecture that supd is built for).
# fmt: off
_SIGNAL_NAMES = (
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV",
    "USR2", "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU",
    "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
)
# fmt: on
SIGNAL_NUMBERS: dict[str, int] = {name: number for number, name in enumerate(_SIGNAL_NAMES, start=1)}
SIGRTMIN = 34  # glibc keeps 32 and 33 to itself
SIGRTMAX = 64


def exit_status_number(name: str) -> int | None:
    """The number of an exit status given as a name or as a number (0..255); None when it is neither."""
    number = EXIT_STATUS_NUMBERS.get(name)
    number = parse_integer(name) if number is None else number
    return number if number is not None and 0 <= number <= 255 else None


def exit_status_name(number: int) -> str:
    """The name of an exit status, the number as text where it has none."""
    return _EXIT_STATUS_NAMES.get(number, str(number))


def signal_number(name: str) -> int | None:
    """The number of a signal given as "SIGTERM", "TERM", "RTMIN+1" or a number; None when there is no such signal."""
    number = parse_integer(name)
    if number is not None:
        return number if 1 <= number <= SIGRTMAX else None
    word = name.removeprefix("SIG")
    return SIGNAL_NUMBERS.get(word) or _real_time_number(word)


def _real_time_number(word: str) -> int | None:
    """RTMIN, RTMIN+n, RTMAX, RTMAX-n."""
    base, signed = word[:5], word[5:]
    if base not in ("RTMIN", "RTMAX"):
        return None
    if not signed:
        return SIGRTMIN if base == "RTMIN" else SIGRTMAX
    distance = parse_integer(signed)
    if signed[0] != {"RTMIN": "+", "RTMAX": "-"}[base] or distance is None or abs(distance) > SIGRTMAX - SIGRTMIN:
        return None
    return (SIGRTMIN if base == "RTMIN" else SIGRTMAX) + distance


def signal_name(number: int) -> str:
    """The name of a signal without "SIG", as `$EXIT_STATUS` has it; real-time signals as "RTMIN+n"."""
    if 1 <= number <= len(_SIGNAL_NAMES):
        return _SIGNAL_NAMES[number - 1]
    if SIGRTMIN <= number <= SIGRTMAX:
        return f"RTMIN+{number - SIGRTMIN}"
    return str(number)
