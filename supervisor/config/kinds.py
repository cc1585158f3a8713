"""The kinds of value a key can have: for each, how TOML's value is read into the specification's, and what the JSON schema says of it.

A reader gets the value as tomllib gave it, the context of the unit and the key's name, and returns the checked value or raises
Mistake. It never looks at other keys: what several keys must agree on is decided in `decode`. Specifiers are resolved here, where
systemd resolves them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from supervisor.config.mode import Mode
from supervisor.config.problems import Mistake, did_you_mean, shown
from supervisor.config.specifiers import Specifiers
from supervisor.model import names, quantities
from supervisor.model.errors import QuantityError
from supervisor.model.exitstatus import EXIT_STATUS_NUMBERS, exit_status_number, signal_number
from supervisor.model.specification import StatusSet


@dataclass(slots=True)
class Context:
    """What a reader may know of the unit it reads for; `warnings` are (key, text)."""

    unit: str
    mode: Mode
    specifiers: Specifiers
    warnings: list[tuple[str, str]] = field(default_factory=list)


Reader = Callable[[object, Context, str], object]


class Mistakes(Mistake):
    """Mistakes in elements of a list, each with its position, so that its own line can be named."""

    def __init__(self, found: list[tuple[int, Mistake]]) -> None:
        super().__init__("; ".join(str(mistake) for _, mistake in found))
        self.found = found


@dataclass(frozen=True, slots=True)
class Kind:
    """Metadata for `Annotated`: how a value is read, what it is called, and its JSON schema."""

    name: str
    read: Reader
    json_schema: dict[str, Any]

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(self._validate)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return self.json_schema

    def _validate(self, value: object, info: ValidationInfo[Context]) -> object:
        try:
            return self.read(value, info.context, info.field_name or "")
        except Mistake as mistake:
            found = mistake.found if isinstance(mistake, Mistakes) else [(None, mistake)]
            raise PydanticCustomError("mistake", "{text}", {"text": str(mistake), "found": found}) from None


def expected(what: str, value: object, hint: str = "") -> Mistake:
    return Mistake(f"expected {what}, got {shown(value)}", hint)


def items(value: object, what: str) -> list[object]:
    """A list's elements; anything else is a list of one."""
    if isinstance(value, dict):
        raise expected(what, value)
    return value if isinstance(value, list) else [value]


def each(what: str, value: object, read: Callable[[object], Any]) -> list[Any]:
    """Every element read; raises Mistakes with all that are wrong."""
    out = []
    found: list[tuple[int, Mistake]] = []
    for index, item in enumerate(items(value, what)):
        try:
            out.append(read(item))
        except Mistake as mistake:
            found.append((index, mistake))
    if found:
        raise Mistakes(found)
    return out


def string(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise expected(what, value, "put it in double quotes" if isinstance(value, int | float) else "")
    if "\0" in value:
        raise Mistake(f"expected {what}, got a string with a NUL character")
    return value


# Readers.


def read_boolean(value: object, context: Context, key: str) -> bool:
    if not isinstance(value, bool):
        is_systemd = isinstance(value, str) and value.lower() in ("yes", "no", "on", "off", "true", "false", "y", "n", "t", "f", "1", "0")
        raise expected("true or false", value, "booleans are TOML's, without quotes" if is_systemd else "")
    return value


def read_text(value: object, context: Context, key: str) -> str:
    text = context.specifiers.expand(string(value, "a string"))
    if "\n" in text.strip("\n"):
        raise Mistake("expected one line of text, got several")
    return text.strip()


def read_texts(value: object, context: Context, key: str) -> tuple[str, ...]:
    return tuple(each("a string or a list of strings", value, lambda item: read_text(item, context, key)))


def read_unit_name(item: object, context: Context) -> str:
    name = context.specifiers.expand(string(item, "a unit's name"))
    reason = names.complaint(name)
    stem, dot, suffix = name.rpartition(".")
    if dot and suffix in ("service", "target", "timer", "socket", "path", "toml"):
        raise Mistake(f'"{name}" has a suffix, and unit names have none', f'write "{stem}"')
    if reason:
        raise Mistake(f'"{name}" cannot be a unit\'s name: {reason}', 'write ["a", "b"] for several' if " " in name else "")
    if names.is_template(name):
        raise Mistake(f'"{name}" is a template, and only its instances can be named', f'for example "{name}1"')
    return name


def read_unit_names(value: object, context: Context, key: str) -> tuple[str, ...]:
    found = each("a unit's name or a list of them", value, lambda item: read_unit_name(item, context))
    return tuple(dict.fromkeys(found))


def read_time_span(value: object, context: Context, key: str) -> int | None:
    """Microseconds; a plain number counts seconds, None is infinity."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise expected(quantities.TIME_SYNTAX, value)
    if isinstance(value, str):
        try:
            return quantities.parse_time_span(value)
        except QuantityError as error:
            raise Mistake(str(error)) from None
    if value != value or value < 0:
        raise Mistake(f"a time span cannot be negative: {shown(value)}") if value < 0 else expected(quantities.TIME_SYNTAX, value)
    if value == float("inf"):
        return None
    span_us = round(value * quantities.SECOND_US)
    if span_us >= quantities.USEC_INFINITY:
        raise Mistake(f"the time span {shown(value)} is out of range")
    return span_us


def read_time_span_0_is_never(value: object, context: Context, key: str) -> int | None:
    """As `read_time_span`, where systemd takes 0 for "no limit" (TimeoutStartSec= and the like)."""
    return read_time_span(value, context, key) or None


def read_statuses(value: object, context: Context, key: str) -> StatusSet:
    codes: list[int] = []
    signals: list[int] = []
    for number, is_signal in each("exit statuses and signals", value, _status):
        (signals if is_signal else codes).append(number)
    return StatusSet(tuple(sorted(set(codes))), tuple(sorted(set(signals))))


def _status(item: object) -> tuple[int, bool]:
    """`SuccessExitStatus=` of systemd.service(5): a number or a name is an exit status, SIG... or its bare name a signal."""
    what = 'an exit status (0 to 255, or a name such as "TEMPFAIL") or a signal such as "SIGTERM"'
    if isinstance(item, int) and not isinstance(item, bool):
        if 0 <= item <= 255:
            return item, False
        raise expected(what, item)
    text = string(item, what)
    code = exit_status_number(text)
    if code is not None:
        return code, False
    signal = None if text.isdigit() else signal_number(text)
    if signal is None:
        several = all(exit_status_number(word) is not None or signal_number(word) for word in text.split()) and " " in text
        hint = 'write a list: [75, "SIGTERM"]' if several else did_you_mean(text, list(EXIT_STATUS_NUMBERS))
        raise expected(what, item, hint)
    return signal, True


def read_signal(value: object, context: Context, key: str) -> int:
    what = 'a signal such as "SIGTERM", "RTMIN+1" or its number'
    number = None
    if isinstance(value, str):
        number = signal_number(value)
        hint = did_you_mean(value, ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGKILL", "SIGUSR1", "SIGUSR2", "SIGABRT", "SIGWINCH"])
    else:
        hint = ""
        if isinstance(value, int) and not isinstance(value, bool):
            number = signal_number(str(value)) if value > 0 else None
    if number is None:
        raise expected(what, value, hint)
    return number


def read_mode_bits(value: object, context: Context, key: str) -> int:
    what = 'permission bits as an octal string such as "0750"'
    if not isinstance(value, str):
        raise expected(what, value, f'write "{value:04d}"' if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else "")
    if not value or not set(value) <= set("01234567") or int(value, 8) > 0o7777:
        raise expected(what, value)
    return int(value, 8)


def absolute_path(item: object, context: Context) -> str:
    """A normalised absolute path; in project mode a relative one is taken from the project's directory."""
    path = context.specifiers.expand(string(item, "a path"))
    if not path:
        raise Mistake("expected a path, got an empty string")
    if not path.startswith("/"):
        if not context.mode.project_directory:
            raise Mistake(f'the path "{path}" is not absolute')
        path = f"{context.mode.project_directory}/{path}"
    elif ".." in path.split("/"):
        raise Mistake(f'the path "{path}" contains ".."')
    parts: list[str] = []
    for part in path.split("/"):
        if part == ".." and parts:
            parts.pop()
        elif part not in ("", ".", ".."):
            parts.append(part)
    return "/" + "/".join(parts)


def read_path(value: object, context: Context, key: str) -> str:
    return absolute_path(value, context)


def refuse(value: object, context: Context, key: str) -> object:
    raise Mistake("not supported yet")


# Kinds.

BOOLEAN = Kind("boolean", read_boolean, {"type": "boolean"})
TEXT = Kind("string", read_text, {"type": "string"})
_STRINGS: dict[str, Any] = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
_SPAN: dict[str, Any] = {"anyOf": [{"type": "string"}, {"type": "number", "minimum": 0}]}
TEXTS = Kind("list of strings", read_texts, _STRINGS)
UNIT_NAMES = Kind("list of units", read_unit_names, _STRINGS)
TIME_SPAN = Kind("time span", read_time_span, _SPAN)
TIME_SPAN_0_IS_NEVER = Kind("time span, 0 is infinity", read_time_span_0_is_never, _SPAN)
STATUSES = Kind(
    "list of exit statuses and signals",
    read_statuses,
    {
        "anyOf": [
            {"type": ["string", "integer"]},
            {"type": "array", "items": {"type": ["string", "integer"]}},
        ]
    },
)
SIGNAL = Kind("signal", read_signal, {"type": ["string", "integer"]})
MODE_BITS = Kind("permission bits", read_mode_bits, {"type": "string", "pattern": "^[0-7]{1,4}$"})
PATH = Kind("path", read_path, {"type": "string"})
LATER = Kind("not supported yet", refuse, {})


def integer(minimum: int, maximum: int, name: str = "") -> Kind:
    """Whole numbers from `minimum` to `maximum`."""

    def read(value: object, context: Context, key: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not minimum <= value <= maximum:
            top = f"a whole number from {minimum} to {maximum}" if maximum < 2**31 else f"a whole number of at least {minimum}"
            quoted = isinstance(value, str) and value.lstrip("+-").isdigit()
            raise expected(top, value, "numbers are TOML's, without quotes" if quoted else "")
        return value

    return Kind(name or f"number from {minimum} to {maximum}", read, {"type": "integer", "minimum": minimum, "maximum": maximum})


def size(minimum_bytes: int) -> Kind:
    """Bytes, or a size such as "10M", of at least `minimum_bytes`."""

    def read(value: object, context: Context, key: str) -> int:
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise expected(quantities.SIZE_SYNTAX, value)
        try:
            size_bytes = quantities.parse_size(value) if isinstance(value, str) else value
        except QuantityError as error:
            raise Mistake(str(error)) from None
        if not minimum_bytes <= size_bytes < 2**63:
            raise expected(f"a size from {quantities.format_size(minimum_bytes)} to 8E", value)
        return size_bytes

    return Kind("size", read, {"anyOf": [{"type": "string"}, {"type": "integer", "minimum": minimum_bytes}]})


def share() -> Kind:
    """A number from 0 to 1, or a percentage."""

    def read(value: object, context: Context, key: str) -> float:
        if isinstance(value, str):
            try:
                return quantities.parse_percent(value)
            except QuantityError as error:
                raise Mistake(str(error)) from None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise expected('a share from 0 to 1, or a percentage such as "20%"', value)
        return float(value)

    return Kind("share", read, {"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"type": "string"}]})


def one_of(*words: str, later: tuple[str, ...] = (), elsewhere: dict[str, str] | None = None) -> Kind:
    """One of a few words. `later` are systemd's that come with another version; `elsewhere` gives the hint for foreign ones."""

    def read(value: object, context: Context, key: str) -> str:
        if isinstance(value, str) and value in words:
            return value
        if isinstance(value, str) and value in later:
            raise Mistake(f'"{value}" is not supported yet')
        hint = ""
        if isinstance(value, str):
            hint = (elsewhere or {}).get(value, "") or did_you_mean(value, list(words))
        elif isinstance(value, bool) and "no" in words and not value:
            hint = 'write "no", in quotes'
        raise expected(f"one of {', '.join(words)}", value, hint)

    return Kind(f"one of {', '.join(words)}", read, {"enum": list(words)})
