"""Asks systemd 252's own parsers: the functions that pid 1 and its tools call, in the libraries they are linked with.

`python systemd.py` loads the two libraries and answers one JSON line `[question, argument, ...]` with one JSON line, so that
thousands of questions cost one process, and an assertion that fails in C ends that process and not the tests. `Systemd` is the
other end. A text that systemd refuses is answered `null`. Texts are UTF-8 with surrogate escapes, NUL excluded.
"""

import ctypes
import json
import os
import subprocess
import sys
import tempfile
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_uint, c_uint64, c_void_p
from typing import Any

DIRECTORIES = ("/usr/lib/x86_64-linux-gnu/systemd", "/usr/lib/aarch64-linux-gnu/systemd")
NAMES = ("libsystemd-shared-252.so", "libsystemd-core-252.so")


def directory() -> str | None:
    """Where Debian's libsystemd-shared 252 put both libraries; None where it is not installed."""
    return next((found for found in DIRECTORIES if all(os.path.exists(os.path.join(found, name)) for name in NAMES)), None)


class Systemd:
    """One child that answers."""

    def __init__(self) -> None:
        self._child = subprocess.Popen([sys.executable, "-S", __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, question: str, *arguments: object) -> Any:
        assert self._child.stdin and self._child.stdout
        self._child.stdin.write(json.dumps([question, *arguments]) + "\n")
        self._child.stdin.flush()
        answer = self._child.stdout.readline()
        assert answer, f"systemd's library ended with {self._child.wait()} at {question} {arguments!r}"
        return json.loads(answer)

    def close(self) -> None:
        self._child.communicate()


# -- the child's side --------------------------------------------------------------------------------------------------


class _Command(ctypes.Structure):
    """ExecCommand of systemd 252 (src/core/execute.h)."""


_Command._fields_ = [
    ("path", c_char_p),
    ("argv", POINTER(c_char_p)),
    ("times", c_uint64 * 4),
    ("status", c_int * 4),
    ("flags", c_int),
    ("next", POINTER(_Command)),
    ("previous", POINTER(_Command)),
]
_IGNORES_FAILURE, _FULLY_PRIVILEGED, _NO_SETUID, _AMBIENT_MAGIC, _IS_VERBATIM = 1, 2, 4, 8, 16
_PRIVILEGES = {0: "", _FULLY_PRIVILEGED: "+", _NO_SETUID: "!", _AMBIENT_MAGIC: "!!"}
_SYSTEM_SCOPE, _MINIMAL_TEST_RUN, _UNIT_SIZE_BYTES = 0, 1, 1 << 14
_PARSER = ctypes.CFUNCTYPE(c_int, c_char_p, c_char_p, c_uint, c_char_p, c_uint, c_char_p, c_int, c_char_p, c_void_p, c_void_p)
_ALL_EXIT_STATUS_CLASSES, _ANY_UNIT_NAME = 15, 7
_LOG_WARNINGS = 4
_STDERR = 2


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _list(strings: Any) -> list[str]:
    """A strv."""
    found: list[str] = []
    while strings and strings[len(found)] is not None:
        found.append(_text(strings[len(found)]))
    return found


def _strv(texts: list[str]) -> Any:
    return (c_char_p * (len(texts) + 1))(*[_raw(text) for text in texts], None)


class _Library:
    """The questions. What C allocates for an answer is not freed: the process is a short one."""

    def __init__(self, where: str) -> None:
        self.shared = ctypes.CDLL(os.path.join(where, NAMES[0]), mode=ctypes.RTLD_GLOBAL)
        self.core = ctypes.CDLL(os.path.join(where, NAMES[1]))
        os.dup2(os.memfd_create("said"), _STDERR)
        self.shared.log_set_max_level(_LOG_WARNINGS)
        self.shared.exit_status_to_string.restype = c_char_p
        self.shared.signal_to_string.restype = c_char_p
        self.shared.unit_name_escape.restype = c_char_p
        self.shared.replace_env_argv.restype = POINTER(c_char_p)
        self.shared.strv_env_clean_with_callback.restype = POINTER(c_char_p)
        self.core.unit_new.restype = c_void_p
        self.manager = c_void_p()
        assert self.core.manager_new(_SYSTEM_SCOPE, _MINIMAL_TEST_RUN, byref(self.manager)) == 0
        self.units = 0
        self.unit = self._new_unit()
        self.file = tempfile.NamedTemporaryFile()  # noqa: SIM115  # kept as long as the process

    def _new_unit(self) -> Any:
        unit = c_void_p(self.core.unit_new(self.manager, c_size_t(_UNIT_SIZE_BYTES)))
        assert self.core.unit_add_name(unit, b"x%d.service" % self.units) == 0
        self.units += 1
        return unit

    def _complaints(self) -> list[str]:
        """What was said since the last time, without where."""
        said = _text(os.pread(_STDERR, 1 << 16, 0)).split("x:1: ")[1:]
        os.lseek(_STDERR, 0, os.SEEK_SET)
        os.truncate(_STDERR, 0)
        return said

    def time_span(self, text: str) -> int | None:
        span_us = c_uint64()
        return span_us.value if self.shared.parse_sec(_raw(text), byref(span_us)) >= 0 else None

    def print_time_span(self, span_us: int, accuracy_us: int) -> str:
        out = ctypes.create_string_buffer(256)
        self.shared.format_timespan(out, c_size_t(256), c_uint64(span_us), c_uint64(accuracy_us))
        return out.value.decode()

    def size(self, text: str) -> int | None:
        size_bytes = c_uint64()
        return size_bytes.value if self.shared.parse_size(_raw(text), c_uint64(1024), byref(size_bytes)) >= 0 else None

    def number(self, text: str) -> int | None:
        number = c_uint64()
        return number.value if self.shared.safe_atollu_full(_raw(text), 0, byref(number)) >= 0 else None

    def commands(self, line: str) -> list[Any] | None:
        """[path, argv, ignores failure, is verbatim, privilege] of each, and the complaints about the line."""
        command = POINTER(_Command)()
        code = self.core.config_parse_exec(None, b"x", 1, b"Service", 1, b"ExecStart", 0, _raw(line), byref(command), self.unit)
        complaints = self._complaints()  # of this line, whatever becomes of it
        if code < 0:
            return None
        found: list[list[object]] = []
        while command:
            one = command.contents
            privilege = _PRIVILEGES[one.flags & (_FULLY_PRIVILEGED | _NO_SETUID | _AMBIENT_MAGIC)]
            flags = [bool(one.flags & _IGNORES_FAILURE), bool(one.flags & _IS_VERBATIM)]
            found.append([_text(one.path), _list(one.argv), *flags, privilege])
            command = one.next
        return [found, complaints]

    def setting(self, section: str, directive: str, value: str) -> list[str] | None:
        """The complaints about `directive=value` in a service's unit file; None for a directive that there is not."""
        function, kind, data, unit = c_void_p(), c_int(), c_void_p(), self._new_unit()
        arguments = (section.encode(), directive.encode(), byref(function), byref(kind), byref(data), unit)
        if self.shared.config_item_perf_lookup(self.core.load_fragment_gperf_lookup, *arguments) <= 0 or not function:
            return None
        parse = _PARSER(function.value or 0)
        code = parse(None, b"x", 1, section.encode(), 1, directive.encode(), kind, _raw(value), data, unit)
        return [*self._complaints(), *(["refused"] if code < 0 else [])]

    def expand(self, argv: list[str], environment: dict[str, str]) -> list[str]:
        pairs = [f"{name}={value}" for name, value in environment.items()]
        return _list(self.shared.replace_env_argv(_strv(argv), _strv(pairs)))

    def environment_file(self, content: str) -> list[str] | None:
        """NAME=value in order, without what an exec would drop."""
        with open(self.file.name, "wb") as file:
            file.write(_raw(content))
        strings = POINTER(c_char_p)()
        if self.shared.load_env_file(None, self.file.name.encode(), byref(strings)) < 0:
            return None
        return _list(self.shared.strv_env_clean_with_callback(strings, None, None)) if strings else []

    def _made(self, name: str, text: str) -> str | None:
        out = c_char_p()
        return _text(out.value or b"") if getattr(self.shared, name)(_raw(text), byref(out)) >= 0 else None

    def escape(self, text: str) -> str:
        return _text(self.shared.unit_name_escape(_raw(text)))

    def unescape(self, text: str) -> str | None:
        return self._made("unit_name_unescape", text)

    def escape_path(self, path: str) -> str | None:
        return self._made("unit_name_path_escape", path)

    def unescape_path(self, text: str) -> str | None:
        return self._made("unit_name_path_unescape", text)

    def is_unit_name(self, name: str) -> bool:
        return bool(self.shared.unit_name_is_valid(_raw(name), _ANY_UNIT_NAME) & 1)

    def exit_status(self, name: str) -> int | None:
        number = int(self.shared.exit_status_from_string(_raw(name)))
        return number if number >= 0 else None

    def exit_status_name(self, number: int) -> str | None:
        name = self.shared.exit_status_to_string(number, _ALL_EXIT_STATUS_CLASSES)
        return _text(name) if name is not None else None

    def signal(self, name: str) -> int | None:
        number = int(self.shared.signal_from_string(_raw(name)))
        return number if number > 0 else None

    def signal_name(self, number: int) -> str:
        return _text(self.shared.signal_to_string(number))


def main() -> None:
    where = directory()
    assert where is not None, "Debian's libsystemd-shared 252 is not installed"
    os.environ["XDG_RUNTIME_DIR"] = tempfile.gettempdir()
    library = _Library(where)
    questions = {name: getattr(library, name) for name in dir(_Library) if not name.startswith("_")}
    for line in sys.stdin:
        question, *arguments = json.loads(line)
        print(json.dumps(questions[question](*arguments)), flush=True)


if __name__ == "__main__":
    main()
