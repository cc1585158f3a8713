"""Replaces %-specifiers in a unit's settings: the list of `systemd.unit(5)` ("SPECIFIERS"), for names without a suffix.

An unknown letter or digit behind % is an error; % before anything else, or at the end, stands for itself (systemd's specifier_printf()).
What depends on this host and boot is looked up lazily and remembered in `facts_used`, so that a stored set can tell whether it still holds.
"""

import os

from supervisor.config.mode import Mode
from supervisor.config.problems import Mistake
from supervisor.model import names
from supervisor.model.errors import UnitNameError

_OS_RELEASE_KEYS = {"A": "IMAGE_VERSION", "B": "BUILD_ID", "M": "IMAGE_ID", "o": "ID", "w": "VERSION_ID", "W": "VARIANT_ID"}
_FACTS = frozenset("abghGHlmqsTuUvV") | frozenset(_OS_RELEASE_KEYS)
_KNOWN = "nNpPiIjJfyYtSCLETVhuUgGsHlqmbvaowWABM%"


class Specifiers:
    """Everything a unit's specifiers stand for. `fragment_path` is the unit file, "" when it is not known yet."""

    def __init__(self, unit: str, mode: Mode, fragment_path: str = "") -> None:
        self._unit = unit
        self._parts = names.split(unit)
        self._mode = mode
        self._fragment_path = fragment_path
        self.facts_used: dict[str, str] = {}

    def expand(self, text: str) -> str:
        """`text` with every specifier replaced. Raises Mistake for one that does not exist."""
        if "%" not in text:
            return text
        out: list[str] = []
        position = 0
        while (percent := text.find("%", position)) >= 0:
            out.append(text[position:percent])
            letter = text[percent + 1 : percent + 2]
            if letter == "%":
                out.append("%")
            elif letter.isascii() and letter.isalnum():
                out.append(self._value(letter))
            else:
                out.append("%" + letter)
            position = percent + 2
        out.append(text[position:])
        return "".join(out)

    def _value(self, letter: str) -> str:
        if letter in _FACTS:
            if letter not in self.facts_used:
                self.facts_used[letter] = fact(letter)
            return self.facts_used[letter]
        if letter == "d":
            raise Mistake("%d is known only once the unit runs", "${CREDENTIALS_DIRECTORY} names the same directory in an exec line")
        value = self._own(letter)
        if value is None:
            raise Mistake(f"unknown specifier %{letter}", f"known are {' '.join('%' + one for one in _KNOWN)}; write %% for a percent sign")
        return value

    def _own(self, letter: str) -> str | None:
        """The specifiers that follow from the unit's name, its file and the mode."""
        prefix, instance = self._parts
        try:
            match letter:
                case "n" | "N":
                    return self._unit
                case "p":
                    return prefix
                case "P":
                    return names.unescape(prefix)
                case "i":
                    return instance or ""
                case "I":
                    return names.unescape(instance or "")
                case "j":
                    return prefix.rpartition("-")[2]
                case "J":
                    return names.unescape(prefix.rpartition("-")[2])
                case "f":
                    return "/" + names.unescape(instance or prefix).strip("/")
        except UnitNameError as error:
            raise Mistake(f"%{letter} cannot be resolved for {self._unit}: {error}") from None
        return self._places().get(letter)

    def _places(self) -> dict[str, str]:
        mode = self._mode
        return {
            "y": self._fragment_path,
            "Y": os.path.dirname(self._fragment_path),
            "t": mode.runtime_root,
            "S": mode.state_root,
            "C": mode.cache_root,
            "L": mode.logs_root,
            "E": mode.configuration_root,
        }


def fact(letter: str) -> str:
    """What a specifier of this host, boot or user stands for; "" where the host does not tell."""
    if letter in "vaHlq":
        return _of_kernel(letter)
    if letter in "uUgGhs":
        return _of_user(letter)
    match letter:
        case "b":
            return _first_line("/proc/sys/kernel/random/boot_id").replace("-", "")
        case "m":
            return _first_line("/etc/machine-id")
        case "T" | "V":
            return _temporary_directory(letter)
    return _os_release(_OS_RELEASE_KEYS[letter])


def _of_kernel(letter: str) -> str:
    kernel = os.uname()
    if letter == "v":
        return kernel.release
    if letter == "a":
        return {"x86_64": "x86-64", "aarch64": "arm64", "i686": "x86", "i386": "x86"}.get(kernel.machine, kernel.machine)
    if letter == "H":
        return kernel.nodename
    if letter == "l":
        return kernel.nodename.partition(".")[0]
    return _shell_value("/etc/machine-info", "PRETTY_HOSTNAME") or kernel.nodename


def _of_user(letter: str) -> str:
    """The user and group that supd runs as (not the unit's `user`), as `systemd.unit(5)` says."""
    if letter == "U":
        return str(os.getuid())
    if letter == "G":
        return str(os.getgid())
    if letter == "h" and os.getuid() == 0:
        return "/root"
    if letter == "g":
        import grp

        try:
            return grp.getgrgid(os.getgid()).gr_name
        except KeyError:
            return str(os.getgid())
    import pwd

    try:
        entry = pwd.getpwuid(os.getuid())
    except KeyError:
        return {"u": str(os.getuid()), "h": os.environ.get("HOME", "/"), "s": "/bin/sh"}[letter]
    return {"u": entry.pw_name, "h": os.environ.get("HOME") or entry.pw_dir, "s": entry.pw_shell}[letter]


def _temporary_directory(letter: str) -> str:
    for variable in ("TMPDIR", "TEMP", "TMP"):
        value = os.environ.get(variable, "")
        if value.startswith("/") and os.path.isdir(value):
            return value.rstrip("/") or "/"
    return "/tmp" if letter == "T" else "/var/tmp"


def _first_line(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.readline().strip()
    except OSError:
        return ""


def _os_release(key: str) -> str:
    return _shell_value("/etc/os-release", key) or _shell_value("/usr/lib/os-release", key)


def _shell_value(path: str, key: str) -> str:
    from supervisor.config.environment_file import EnvironmentFileError, parse

    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return dict(parse(file.read())).get(key, "")
    except (OSError, EnvironmentFileError):
        return ""
