"""Readers for what a process is started with: command lines, environment, limits, capabilities, directories, standard streams.

The same contract as in `kinds`. The rules are those of `systemd.exec(5)`; where a value comes from the machine (users, files) only its
form is checked here: whether it exists is found out right before the spawn.
"""

import re
from typing import Any

from supervisor.config.command_line import CommandLineError, split_commands
from supervisor.config.environment_file import is_name
from supervisor.config.kinds import Context, Kind, absolute_path, each, expected, items, read_unit_name, string
from supervisor.config.problems import Mistake, did_you_mean, shown
from supervisor.model import quantities
from supervisor.model.conditions import PATH_KINDS
from supervisor.model.errors import QuantityError
from supervisor.model.integers import bounded_int, parse_integer
from supervisor.model.specification import Command, Condition, EnvironmentFile, Limit

# linux/capability.h: the position is the number.
CAPABILITIES = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
]

_SIZES = ("AS", "CORE", "DATA", "FSIZE", "MEMLOCK", "MSGQUEUE", "RSS", "STACK")
_NUMBERS = ("NOFILE", "NPROC", "LOCKS", "SIGPENDING", "NICE", "RTPRIO")
LIMITS = (*_SIZES, *_NUMBERS, "CPU", "RTTIME")
_NICE_MAX = 40  # of RLIMIT_NICE, which stands for a nice level of -20
_LIMIT_MAX = 2**63 - 1  # what can be given to setrlimit(2)
_IO_CLASSES = ("none", "realtime", "best-effort", "idle")


def read_commands(value: object, context: Context, key: str) -> tuple[Command, ...]:
    """A command line or a list of them."""

    def read(item: object) -> tuple[Command, ...]:
        line = string(item, "a command line or a list of them")
        try:
            split = split_commands(line, context.specifiers.expand, allows_relative=bool(context.mode.project_directory))
        except CommandLineError as error:
            raise Mistake(f"cannot read the command line {shown(line)}: {error}") from None
        context.warnings.extend((key, warning) for warning in split.warnings)
        if not split.commands:
            raise Mistake("the command line is empty")
        return split.commands

    found = each("a command line or a list of them", value, read)
    return tuple(command for commands in found for command in commands)


def read_condition(value: object, context: Context, key: str) -> tuple[Condition, ...]:
    kind = key.partition("_")[2]

    def read(item: object) -> Condition:
        if isinstance(item, int) and not isinstance(item, bool):
            item = str(item)
        text = string(item, "a string or a list of strings")
        is_trigger = text.startswith("|")
        text = text.removeprefix("|").lstrip()
        is_negated = text.startswith("!")
        text = text.removeprefix("!").lstrip()
        argument = absolute_path(text, context) if kind in PATH_KINDS else context.specifiers.expand(text)
        if not argument:
            raise Mistake("expected something to test, got an empty string", "an empty list takes back what a lower file set")
        return Condition(kind, argument, is_negated, is_trigger)

    return tuple(each("a string or a list of strings", value, read))


def read_environment(value: object, context: Context, key: str) -> tuple[tuple[str, str], ...]:
    what = 'a table such as { PORT = "8000" }'
    if not isinstance(value, dict):
        raise expected(what, value)
    pairs = []
    for name, item in value.items():
        _check_variable(name)
        if isinstance(item, bool) or not isinstance(item, str | int):
            raise Mistake(f"the variable {name} must be a string, got {shown(item)}", f'write {name} = "{shown(item)}"')
        text = context.specifiers.expand(str(item))
        if "\0" in text:
            raise Mistake(f"the variable {name} contains a NUL character")
        pairs.append((name, text))
    return tuple(pairs)


def _check_variable(name: str) -> str:
    if not is_name(name):
        raise Mistake(f"{shown(name)} cannot be a variable's name: only letters, digits and _ may be in it, and no digit first")
    return name


def read_variable_names(value: object, context: Context, key: str) -> tuple[str, ...]:
    return tuple(each("a list of variable names", value, lambda item: _check_variable(string(item, "a variable's name"))))


def read_unset(value: object, context: Context, key: str) -> tuple[str, ...]:
    """Names, or assignments "NAME=value" that are taken out only if they match (`UnsetEnvironment=`)."""

    def read(item: object) -> str:
        text = context.specifiers.expand(string(item, "a variable's name"))
        _check_variable(text.partition("=")[0])
        return text

    return tuple(each("a list of variable names", value, read))


def read_environment_files(value: object, context: Context, key: str) -> tuple[EnvironmentFile, ...]:
    def read(item: object) -> EnvironmentFile:
        text = string(item, "a path")
        return EnvironmentFile(absolute_path(text.removeprefix("-"), context), text.startswith("-"))

    return tuple(each("a path or a list of paths", value, read))


def read_working_directory(value: object, context: Context, key: str) -> tuple[str, bool]:
    """(path or "~", whether it may be missing)."""
    text = string(value, "a path")
    is_optional = text.startswith("-")
    text = text.removeprefix("-")
    return ("~" if text == "~" else absolute_path(text, context)), is_optional


def read_account(value: object, context: Context, key: str) -> str:
    """A user's or group's name or number. Whether it exists is asked at the spawn (status 217 or 216)."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**32 - 1:
        return str(value)
    name = context.specifiers.expand(string(value, "a name or a number"))
    if not name or name != name.strip() or re.search(r"[:/\x00-\x1f\x7f]", name) or name in (".", ".."):
        raise expected("the name or number of a user or group", value)
    if re.fullmatch(r"-?[0-9]+|-", name, re.ASCII):
        _check_account_number(name)
    return name


def _check_account_number(digits: str) -> None:
    if digits.startswith("-") or (digits[0] == "0" and digits != "0") or bounded_int(digits) >= 2**32:
        raise Mistake(f"{digits} cannot be the number of an account", "numbers go from 0 to 4294967294, without zeros before them")
    if int(digits) in (2**16 - 1, 2**32 - 1):
        raise Mistake(f"{digits} is reserved and means no account at all")


def read_accounts(value: object, context: Context, key: str) -> tuple[str, ...]:
    return tuple(each("a list of groups", value, lambda item: read_account(item, context, key)))


def read_limit(value: object, context: Context, key: str) -> Limit:
    """One number for both, or "soft:hard"; "infinity" is none (`LimitNOFILE=` and its like)."""
    resource = key.removeprefix("limit_").upper()
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    text = string(value, 'a limit such as 4096, "64M", "1024:4096" or "infinity"')
    soft_text, colon, hard_text = text.partition(":")
    soft = _limit(resource, soft_text)
    hard = _limit(resource, hard_text) if colon else soft
    if hard is not None and (soft is None or soft > hard):
        raise Mistake(f'the soft limit is above the hard one in "{text}"')
    return Limit(resource, soft, hard)


def _limit(resource: str, text: str) -> int | None:
    number = _limit_number(resource, text)
    if number is not None and number > _LIMIT_MAX:
        raise Mistake(f'the limit "{text}" is out of range', 'write "infinity" for none')
    return number


def _limit_number(resource: str, text: str) -> int | None:
    if text == "infinity" and resource != "NICE":
        return None
    try:
        if resource in _SIZES:
            return quantities.parse_size(text)
        if resource in ("CPU", "RTTIME"):
            unit_us = quantities.SECOND_US if resource == "CPU" else 1
            span_us = quantities.parse_time_span(text, unit_us)
            return None if span_us is None else -(-span_us // unit_us)
    except QuantityError as error:
        raise Mistake(str(error)) from None
    number = parse_integer(text)
    if resource == "NICE" and text[:1] in ("+", "-"):  # a nice level, for which setrlimit(2) has another number
        number = 20 - number if number is not None and -20 <= number <= 19 else None
    if number is None or number < 0 or (resource == "NICE" and number > _NICE_MAX):
        raise expected("a whole number" if resource == "NICE" else 'a whole number or "infinity"', text)
    return number


def read_cpus(value: object, context: Context, key: str) -> tuple[int, ...]:
    """CPU numbers and ranges: [0, 2], "0-3", "0-1,4"."""
    what = 'CPU numbers such as [0, 1], or a range such as "0-3"'

    def read(item: object) -> list[int]:
        if isinstance(item, int) and not isinstance(item, bool) and 0 <= item < 8192:
            return [item]
        text = string(item, what)
        cpus: list[int] = []
        for part in re.split(r"[\s,]+", text.strip()):
            match = re.fullmatch(r"([0-9]{1,4})(?:-([0-9]{1,4}))?", part, re.ASCII)
            first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
            if first > last or last >= 8192:
                raise expected(what, item)
            cpus.extend(range(first, last + 1))
        return cpus

    found = each(what, value, read)
    return tuple(sorted({cpu for cpus in found for cpu in cpus}))


def read_io_class(value: object, context: Context, key: str) -> int:
    if isinstance(value, str) and value in _IO_CLASSES:
        return _IO_CLASSES.index(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(_IO_CLASSES):
        return value
    raise expected(f"one of {', '.join(_IO_CLASSES)}", value, did_you_mean(value, list(_IO_CLASSES)) if isinstance(value, str) else "")


def read_capabilities(value: object, context: Context, key: str) -> tuple[int, ...]:
    """Names of capabilities; "~" before the first one means all but these (`CapabilityBoundingSet=`)."""
    words: list[str] = []
    for item in items(value, "a list of capabilities"):
        words.extend(string(item, "a capability such as CAP_NET_BIND_SERVICE").split())
    is_inverted = bool(words) and words[0].startswith("~")
    numbers = set()
    for word in words:
        name = word.removeprefix("~").upper()
        if not name:
            continue
        if name not in CAPABILITIES:
            raise Mistake(f"unknown capability {shown(word)}", did_you_mean(name, CAPABILITIES))
        numbers.add(CAPABILITIES.index(name))
    if is_inverted:
        numbers = set(range(len(CAPABILITIES))) - numbers
    return tuple(sorted(numbers))


def read_directories(value: object, context: Context, key: str) -> tuple[str, ...]:
    """Paths relative to the root of their kind."""

    def read(item: object) -> str:
        path = context.specifiers.expand(string(item, "a relative path"))
        parts = path.split("/")
        if not path or path.startswith("/") or any(part in ("", ".", "..") for part in parts) or ":" in path or " " in path:
            hint = 'write ["a", "b"] for several' if " " in path else ""
            raise expected("a relative path without . and ..", item, hint)
        return path

    return tuple(dict.fromkeys(each("a relative path or a list of them", value, read)))


def read_credentials(value: object, context: Context, key: str) -> tuple[tuple[str, str], ...]:
    """A table { id = "path" }, or a list of "id:path" as in systemd."""
    if isinstance(value, dict):
        pairs = [(name, path) for name, path in value.items()]
    else:
        pairs = [_credential(item) for item in items(value, 'a table { id = "path" }')]
    found = []
    for name, path in pairs:
        if not name or "/" in name or name in (".", "..") or not name.isascii() or not name.isprintable() or len(name) > 255:
            raise Mistake(f"{shown(name)} cannot be a credential's name: it becomes a file's name")
        found.append((name, absolute_path(path, context)))
    return tuple(found)


def _credential(item: object) -> tuple[str, str]:
    name, colon, path = string(item, '"id:path"').partition(":")
    if not colon:
        raise expected('"id:path"', item, "credentials that supd itself was given are not passed on")
    return name, path


def read_input(value: object, context: Context, key: str) -> str:
    text = string(value, "one of null, file:PATH")
    if text == "null":
        return text
    if text.startswith("file:"):
        return "file:" + absolute_path(text.removeprefix("file:"), context)
    if text.split(":")[0] in ("tty", "tty-force", "tty-fail", "data", "socket", "fd"):
        raise Mistake(f"{shown(text)} is not supported yet")
    raise expected("one of null, file:PATH", value)


def read_output(value: object, context: Context, key: str) -> str:
    words = ["log", "null", "inherit", "file:PATH", "append:PATH", "truncate:PATH", "unit:NAME"]
    text = string(value, f"one of {', '.join(words)}")
    if text in ("log", "null", "inherit"):
        return text
    kind, colon, path = text.partition(":")
    if colon and kind in ("file", "append", "truncate"):
        return f"{kind}:{absolute_path(path, context)}"
    if colon and kind == "unit":
        return f"unit:{read_unit_name(path, context)}"
    if kind in ("tty", "socket", "fd"):
        raise Mistake(f"{shown(text)} is not supported yet")
    journal = 'supd\'s word for it is "log"' if kind.removesuffix("+console") in ("journal", "syslog", "kmsg") else ""
    raise expected(f"one of {', '.join(words)}", value, journal or did_you_mean(text, words[:3]))


_STRINGS: dict[str, Any] = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
_PAIRS: dict[str, Any] = {"type": "object", "additionalProperties": {"type": ["string", "integer"]}}
_NUMBER_OR_STRING: dict[str, Any] = {"type": ["integer", "string"]}

COMMANDS = Kind("command line, or a list of them", read_commands, _STRINGS)
CONDITION = Kind("string, or a list of them", read_condition, _STRINGS)
ENVIRONMENT = Kind("table of strings", read_environment, _PAIRS)
ENVIRONMENT_FILES = Kind("list of paths", read_environment_files, _STRINGS)
VARIABLE_NAMES = Kind("list of variables", read_variable_names, _STRINGS)
UNSET = Kind("list of variables", read_unset, _STRINGS)
WORKING_DIRECTORY = Kind('path or "~"', read_working_directory, {"type": "string"})
ACCOUNT = Kind("name or number", read_account, _NUMBER_OR_STRING)
ACCOUNTS = Kind("list of groups", read_accounts, {"anyOf": [_NUMBER_OR_STRING, {"type": "array", "items": _NUMBER_OR_STRING}]})
LIMIT = Kind('limit: a number, a size, "soft:hard" or "infinity"', read_limit, _NUMBER_OR_STRING)
CPUS = Kind("list of CPUs", read_cpus, {"anyOf": [_NUMBER_OR_STRING, {"type": "array", "items": _NUMBER_OR_STRING}]})
IO_CLASS = Kind(f"one of {', '.join(_IO_CLASSES)}", read_io_class, {"enum": [*_IO_CLASSES, 0, 1, 2, 3]})
CAPABILITY_SET = Kind("list of capabilities", read_capabilities, _STRINGS)
DIRECTORIES = Kind("list of relative paths", read_directories, _STRINGS)
CREDENTIALS = Kind("table of paths", read_credentials, {"anyOf": [_PAIRS, _STRINGS]})
INPUT = Kind("null or file:PATH", read_input, {"type": "string"})
OUTPUT = Kind("log, null, inherit, file:PATH, append:PATH, truncate:PATH or unit:NAME", read_output, {"type": "string"})
