"""Whether a unit's conditions and asserts hold now (`systemd.unit(5)`, CONDITIONS AND ASSERTS).

Rules:
- Every plain condition must hold; of those marked `|` at least one must, if there are any. `!` turns one round.
- An argument that cannot be understood, or a question the machine cannot answer, makes a condition fail, with and
  without `!`, as in systemd.
- Paths are followed through symbolic links except where the link itself is asked for. Relative ones are taken from the mode's directory.

Asks the world and changes nothing. May block on file systems and on user look-ups: a worker thread's work. What a failed
condition means (skipped, not failed) is the engine's affair.
"""

import os
from collections.abc import Callable, Mapping

from supervisor.model.conditions import KINDS, PATH_KINDS
from supervisor.model.specification import Condition, Unit

__all__ = ["KINDS", "check", "holds"]

SYSTEM_UID_MAX = 999  # Debian's and Fedora's; what @system means


class Unintelligible(ValueError):
    """An argument that has no meaning for its kind."""


def check(unit: Unit, environment: Mapping[str, str], directory: str = "/") -> tuple[bool, bool, str]:
    """(conditions hold, asserts hold, the line that did not hold or "").

    `environment` is the mode's base environment, `directory` its default working directory. Asserts are looked at only if
    the conditions hold, as systemd does.
    """
    failed = _first_failure("condition", unit.conditions, environment, directory)
    if failed:
        return False, True, failed
    failed = _first_failure("assert", unit.asserts, environment, directory)
    return True, not failed, failed


def holds(condition: Condition, environment: Mapping[str, str], directory: str = "/") -> bool:
    """Whether one condition holds, `!` included and `|` left out of account. An unknown kind raises KeyError: config knows them all."""
    test = TESTS[condition.kind]
    argument = condition.argument
    if condition.kind in PATH_KINDS and not argument.startswith("/"):
        argument = f"{directory.rstrip('/')}/{argument}"
    try:
        return test(argument, environment) != condition.is_negated
    except (Unintelligible, OSError):
        return False


def as_line(table: str, condition: Condition) -> str:
    """The condition as it stands in a unit file: `condition_path_exists = "!/run/maintenance"`."""
    return f'{table}_{condition.kind} = "{"|" * condition.is_trigger}{"!" * condition.is_negated}{condition.argument}"'


def _first_failure(table: str, conditions: tuple[Condition, ...], environment: Mapping[str, str], directory: str) -> str:
    triggers = []
    has_triggered = False
    for condition in conditions:
        is_good = holds(condition, environment, directory)
        if condition.is_trigger:
            triggers.append(condition)
            has_triggered = has_triggered or is_good
        elif not is_good:
            return as_line(table, condition)
    if triggers and not has_triggered:
        return " or ".join(as_line(table, condition) for condition in triggers)
    return ""


# ---- paths


def _path_exists(path: str, _: Mapping[str, str]) -> bool:
    return os.access(path, os.F_OK)


def _path_exists_glob(pattern: str, _: Mapping[str, str]) -> bool:
    import glob

    return any(True for _ in glob.iglob(pattern))


def _path_is_directory(path: str, _: Mapping[str, str]) -> bool:
    return os.path.isdir(path)


def _path_is_symbolic_link(path: str, _: Mapping[str, str]) -> bool:
    return os.path.islink(path)


def _path_is_mount_point(path: str, _: Mapping[str, str]) -> bool:
    """By mount id, since a bind mount of the same file system has the same device (path_is_mount_point())."""
    real = os.path.realpath(path)
    if real == "/":
        return True
    mount, above = _mount_id(real), _mount_id(os.path.dirname(real))
    return mount is not None and mount != above


def _path_is_read_write(path: str, _: Mapping[str, str]) -> bool:
    """Whether the file system is mounted for writing; permissions do not count."""
    try:
        return not os.statvfs(path).f_flag & os.ST_RDONLY
    except FileNotFoundError:
        return False
    except OSError:
        return True  # systemd: only a known read-only one fails


def _directory_not_empty(path: str, _: Mapping[str, str]) -> bool:
    """Hidden files and backups do not count (dir_is_empty()); a directory that cannot be read does as not empty, as in systemd."""
    try:
        with os.scandir(path) as entries:
            return any(not _is_hidden_or_backup(entry.name) for entry in entries)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True


def _file_not_empty(path: str, _: Mapping[str, str]) -> bool:
    return os.path.isfile(path) and os.stat(path).st_size > 0


def _file_is_executable(path: str, _: Mapping[str, str]) -> bool:
    return os.path.isfile(path) and bool(os.stat(path).st_mode & 0o111)


def _mount_id(path: str) -> str | None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        with open(f"/proc/self/fdinfo/{fd}") as info:
            return next((line.split()[1] for line in info if line.startswith("mnt_id:")), None)
    finally:
        os.close(fd)


_BACKUP_ENDINGS = (
    *("~", ".rpmnew", ".rpmsave", ".rpmorig", ".swp", ".bak", ".old", ".new", ".ucf-new", ".ucf-old", ".ucf-dist"),
    *(".dpkg-old", ".dpkg-new", ".dpkg-tmp", ".dpkg-dist", ".dpkg-bak", ".dpkg-backup", ".dpkg-remove"),
)


def _is_hidden_or_backup(name: str) -> bool:
    return name.startswith(".") or name.endswith(_BACKUP_ENDINGS) or name in ("lost+found", "aquota.user", "aquota.group")


# ---- who and where


def _environment(argument: str, environment: Mapping[str, str]) -> bool:
    name, equals, value = argument.partition("=")
    return environment.get(name) == value if equals else name in environment


def _host(argument: str, _: Mapping[str, str]) -> bool:
    """A machine id, or a glob pattern for the host name in any case."""
    import fnmatch

    candidate = argument.replace("-", "").lower()
    if len(candidate) == 32 and all(digit in "0123456789abcdef" for digit in candidate):
        with open("/etc/machine-id") as file:
            return file.read().strip() == candidate
    return fnmatch.fnmatchcase(os.uname().nodename.lower(), argument.lower())


def _user(argument: str, _: Mapping[str, str]) -> bool:
    own = (os.getuid(), os.geteuid())
    if argument == "@system":
        return any(uid <= SYSTEM_UID_MAX for uid in own)
    if argument.isascii() and argument.isdigit():
        return int(argument) in own
    import pwd

    try:
        return pwd.getpwnam(argument).pw_uid in own
    except KeyError:
        return False


def _group(argument: str, _: Mapping[str, str]) -> bool:
    own = (os.getgid(), os.getegid(), *os.getgroups())
    if argument.isascii() and argument.isdigit():
        return int(argument) in own
    import grp

    try:
        return grp.getgrnam(argument).gr_gid in own
    except KeyError:
        return False


# ---- machine

_ORDERS: dict[str, Callable[[int], bool]] = {
    "<=": lambda order: order <= 0,
    "<>": lambda order: order != 0,
    ">=": lambda order: order >= 0,
    "==": lambda order: order == 0,
    "!=": lambda order: order != 0,
    "<": lambda order: order < 0,
    ">": lambda order: order > 0,
    "=": lambda order: order == 0,
}
_BLANKS = " \t\n\r"


def _memory(argument: str, _: Mapping[str, str]) -> bool:
    from supervisor.model.errors import QuantityError
    from supervisor.model.quantities import parse_size

    operator, text = _split_operator(argument, ">=")
    try:
        wanted_bytes = parse_size(text)
    except QuantityError as error:
        raise Unintelligible(argument) from error
    return _ORDERS[operator](_memory_bytes() - wanted_bytes)


def _cpus(argument: str, _: Mapping[str, str]) -> bool:
    """Counts the CPUs supd may run on."""
    operator, text = _split_operator(argument, ">=")
    if not (text.isascii() and text.isdigit()):
        raise Unintelligible(argument)
    return _ORDERS[operator](len(os.sched_getaffinity(0)) - int(text))


def _kernel_version(argument: str, _: Mapping[str, str]) -> bool:
    """Words that must all hold: an operator and a version, or a glob pattern. The first may have blanks after its operator."""
    from supervisor.daemon import versions

    release = os.uname().release
    words = _words(argument)
    if len(words) > 1 and words[0] in _ORDERS:
        words[:2] = ["".join(words[:2])]
    if not words:
        raise Unintelligible(argument)
    return all(_release_matches(release, word, versions.compare) for word in words)


def _release_matches(release: str, word: str, compare: Callable[[str, str], int]) -> bool:
    import fnmatch

    for prefix, is_wanted in (("!$=", False), ("$=", True)):
        if word.startswith(prefix):
            return fnmatch.fnmatchcase(release, word.removeprefix(prefix)) == is_wanted
    operator, text = _split_operator(word, "")
    if not operator:
        return fnmatch.fnmatchcase(release, word)
    if not text:
        raise Unintelligible(word)
    if operator in ("=", "!="):  # these two compare text, not versions
        return (release == text) == (operator == "=")
    return _ORDERS[operator](compare(release, text))


def _kernel_command_line(argument: str, _: Mapping[str, str]) -> bool:
    """A whole word if the argument holds "=", else a word or its name before "=". In a container it is PID 1's command line."""
    from supervisor.daemon import virtualization

    _machine, container = virtualization.detect()
    with open("/proc/1/cmdline" if container else "/proc/cmdline", "rb") as file:
        text = file.read().decode("utf-8", "surrogateescape")
    words = text.split("\0") if container else _words(text)
    return argument in words or ("=" not in argument and any(word.startswith(argument + "=") for word in words))


def _virtualization(argument: str, _: Mapping[str, str]) -> bool:
    from supervisor.daemon import virtualization

    wanted = _boolean(argument)
    return virtualization.matches(argument) if wanted is None else any(virtualization.detect()) == wanted


def _architecture(argument: str, _: Mapping[str, str]) -> bool:
    from supervisor.daemon import virtualization

    return argument in ("native", virtualization.architecture())


def _ac_power(argument: str, _: Mapping[str, str]) -> bool:
    """On mains power, or on a machine that knows of no power supply (on_ac_power())."""
    wanted = _boolean(argument)
    if wanted is None:
        raise Unintelligible(argument)
    return wanted == _is_on_mains()


def _is_on_mains() -> bool:
    import glob

    online = []
    for kind in glob.glob("/sys/class/power_supply/*/type"):
        with open(kind) as file:
            if file.read().strip() != "Mains":
                continue
        with open(f"{os.path.dirname(kind)}/online") as file:
            online.append(file.read().strip() == "1")
    return any(online) or not online


def _memory_bytes() -> int:
    """The machine's memory, or what the container may use of it (physical_memory())."""
    total_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            with open(path) as file:
                total_bytes = min(total_bytes, int(file.read()))
        except (OSError, ValueError):
            continue  # no such limit, or "max"
    return total_bytes


def _boolean(text: str) -> bool | None:
    """systemd's parse_boolean()."""
    word = text.lower()
    return True if word in ("1", "yes", "y", "true", "t", "on") else False if word in ("0", "no", "n", "false", "f", "off") else None


def _split_operator(text: str, default: str) -> tuple[str, str]:
    """("<=", the rest without blanks around); the default where no operator stands at the beginning."""
    text = text.strip(_BLANKS)
    for operator in _ORDERS:
        if text.startswith(operator):
            return operator, text[len(operator) :].strip(_BLANKS)
    return default, text


def _words(text: str) -> list[str]:
    """Words as systemd splits them, quotes removed."""
    words: list[str] = []
    word: list[str] | None = None
    quote = ""
    for character in text:
        if quote:
            if character == quote:
                quote = ""
            elif word is not None:
                word.append(character)
        elif character in "\"'":
            quote, word = character, word or []
        elif character in _BLANKS:
            if word is not None:
                words.append("".join(word))
            word = None
        else:
            word = [] if word is None else word
            word.append(character)
    if word is not None:
        words.append("".join(word))
    return words


TESTS: dict[str, Callable[[str, Mapping[str, str]], bool]] = {
    "path_exists": _path_exists,
    "path_exists_glob": _path_exists_glob,
    "path_is_directory": _path_is_directory,
    "path_is_symbolic_link": _path_is_symbolic_link,
    "path_is_mount_point": _path_is_mount_point,
    "path_is_read_write": _path_is_read_write,
    "directory_not_empty": _directory_not_empty,
    "file_not_empty": _file_not_empty,
    "file_is_executable": _file_is_executable,
    "environment": _environment,
    "host": _host,
    "user": _user,
    "group": _group,
    "memory": _memory,
    "cpus": _cpus,
    "kernel_version": _kernel_version,
    "kernel_command_line": _kernel_command_line,
    "virtualization": _virtualization,
    "architecture": _architecture,
    "ac_power": _ac_power,
}
