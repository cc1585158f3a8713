"""Time spans, sizes and percentages: text to number and back, exactly as systemd reads and prints them.

The grammar is that of `systemd.time(7)` ("PARSING TIME SPANS") and of systemd's parse_size(); `tests/config` holds both to what
systemd 252 answered. A time span is an integer of microseconds, `None` is infinity. Nothing here knows a key or a default.
"""

import re

from supervisor.model.errors import QuantityError
from supervisor.model.integers import UINT64_MAX, bounded_int

USEC_INFINITY = UINT64_MAX
SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
WEEK_US = 7 * DAY_US
MONTH_US = 2_629_800 * SECOND_US  # 30.4375 days, systemd's
YEAR_US = 31_557_600 * SECOND_US  # 365.25 days, systemd's

# The order matters: the first suffix that the text begins with is taken, as in systemd.
_TIME_UNITS = (
    *((word, SECOND_US) for word in ("seconds", "second", "sec", "s")),
    *((word, MINUTE_US) for word in ("minutes", "minute", "min")),
    *((word, MONTH_US) for word in ("months", "month", "M")),
    *((word, 1_000) for word in ("msec", "ms")),
    ("m", MINUTE_US),
    *((word, HOUR_US) for word in ("hours", "hour", "hr", "h")),
    *((word, DAY_US) for word in ("days", "day", "d")),
    *((word, WEEK_US) for word in ("weeks", "week", "w")),
    *((word, YEAR_US) for word in ("years", "year", "y")),
    *((word, 1) for word in ("usec", "us", "\u00b5s", "\u03bcs")),
)
_PRINTED_UNITS = (
    ("y", YEAR_US),
    ("month", MONTH_US),
    ("w", WEEK_US),
    ("d", DAY_US),
    ("h", HOUR_US),
    ("min", MINUTE_US),
    ("s", SECOND_US),
    ("ms", 1_000),
    ("us", 1),
)
_SIZE_UNITS = (("E", 2**60), ("P", 2**50), ("T", 2**40), ("G", 2**30), ("M", 2**20), ("K", 2**10), ("B", 1), ("", 1))
_BLANKS = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"\+?[0-9]+", re.ASCII)
_DIGITS = re.compile(r"[0-9]*", re.ASCII)

TIME_SYNTAX = 'a time span such as "1min 30s", "500ms", "infinity" or a plain number of seconds'
SIZE_SYNTAX = 'a size such as "64M", "1.5G" or a plain number of bytes'


def _skip(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    return match.end() if match else position


def parse_time_span(text: str, default_unit_us: int = SECOND_US) -> int | None:
    """A time span in microseconds, None for "infinity". Raises QuantityError for anything else.

    Numbers without a unit count `default_unit_us`; what is smaller than a microsecond is dropped (`systemd.time(7)`).
    """
    position = _skip(_BLANKS, text, 0)
    if text.startswith("infinity", position) and _skip(_BLANKS, text, position + len("infinity")) == len(text):
        return None
    total_us = 0
    if position == len(text):
        raise QuantityError(f"expected {TIME_SYNTAX}, got an empty string")
    while position < len(text):
        if text[position] == "-":
            raise QuantityError(f'a time span cannot be negative: "{text}"')
        part_us, position = _time_term(text, position, default_unit_us)
        total_us += part_us
        if total_us >= USEC_INFINITY:
            raise QuantityError(f'the time span "{text}" is out of range')
        position = _skip(_BLANKS, text, position)
    return total_us


def _time_term(text: str, position: int, default_unit_us: int) -> tuple[int, int]:
    """One number with its unit: (microseconds, where it ends)."""
    wrong = QuantityError(f'expected {TIME_SYNTAX}, got "{text}"')
    number = _NUMBER.match(text, position)
    whole = bounded_int(number.group().lstrip("+")) if number else 0
    position = number.end() if number else position
    fraction = ""
    if text.startswith(".", position):
        end = _skip(_DIGITS, text, position + 1)
        fraction = text[position + 1 : end]
        position = end
        if not fraction:
            raise wrong
    elif not number:
        raise wrong
    unit_at = _skip(_BLANKS, text, position)
    unit_us = default_unit_us
    after = unit_at
    for suffix, factor_us in _TIME_UNITS:
        if text.startswith(suffix, unit_at):
            unit_us, after = factor_us, unit_at + len(suffix)
            break
    if after == position and position < len(text):
        raise wrong
    if whole >= USEC_INFINITY // unit_us:
        raise QuantityError(f'the time span "{text}" is out of range')
    total_us = whole * unit_us
    digit_us = unit_us // 10
    for digit in fraction:
        total_us += int(digit) * digit_us
        digit_us //= 10
    return total_us, after


def format_time_span(span_us: int | None, accuracy_us: int = 1) -> str:
    """A time span as systemd prints it: "1min 30s", "1.500ms", "0", "infinity". `accuracy_us` is the smallest part shown."""
    if span_us is None or span_us >= USEC_INFINITY:
        return "infinity"
    if span_us <= 0:
        return "0"
    parts: list[str] = []
    rest_us = span_us
    for suffix, unit_us in _PRINTED_UNITS:
        if rest_us <= 0 or (rest_us < accuracy_us and parts):
            break
        if rest_us < unit_us:
            continue
        whole, below = divmod(rest_us, unit_us)
        if rest_us < MINUTE_US and below > 0:
            digits = len(str(unit_us)) - 1 - (len(str(max(accuracy_us, 1))) - 1)
            if digits > 0:
                parts.append(f"{whole}.{below // 10 ** (len(str(max(accuracy_us, 1))) - 1):0{digits}d}{suffix}")
                break
        parts.append(f"{whole}{suffix}")
        rest_us = below
    return " ".join(parts)


def parse_size(text: str) -> int:
    """A size in bytes; K, M, G, T, P, E count by 1024 (systemd's parse_size()). Raises QuantityError for anything else."""
    wrong = QuantityError(f'expected {SIZE_SYNTAX}, got "{text}"')
    total_bytes = 0
    first_unit = 0
    position = 0
    while True:
        position = _skip(_BLANKS, text, position)
        number = _NUMBER.match(text, position)
        if not number:
            raise QuantityError(f'a size cannot be negative: "{text}"') if text.startswith("-", position) else wrong
        whole, position = bounded_int(number.group().lstrip("+")), number.end()
        fraction = ""
        if text.startswith(".", position):
            end = _skip(_DIGITS, text, position + 1)
            fraction, position = text[position + 1 : end], end
        position = _skip(_BLANKS, text, position)
        for index in range(first_unit, len(_SIZE_UNITS)):
            suffix, factor = _SIZE_UNITS[index]
            if text.startswith(suffix, position):
                break
        else:
            raise wrong
        total_bytes += whole * factor + int(_fraction(fraction, text) * factor)
        if total_bytes > UINT64_MAX:
            raise QuantityError(f'the size "{text}" is out of range')
        position += len(suffix)
        first_unit = index + 1
        if position == len(text):
            return total_bytes


def _fraction(digits: str, text: str) -> float:
    """What stands behind the point, rounded as systemd rounds: in floating point, one digit after the other."""
    number = bounded_int(digits)
    if number > UINT64_MAX:
        raise QuantityError(f'the size "{text}" is out of range')
    value = float(number)
    for _ in digits:
        value /= 10
    return value


def format_size(size_bytes: int) -> str:
    """A size as systemd prints it: "64M", "1.5G", "999B"."""
    for suffix, factor in _SIZE_UNITS[:6]:
        if size_bytes >= factor:
            tenth = size_bytes % factor * 10 // factor
            return f"{size_bytes // factor}.{tenth}{suffix}" if tenth else f"{size_bytes // factor}{suffix}"
    return f"{size_bytes}B"


def parse_percent(text: str) -> float:
    """ "50%" as 0.5. Raises QuantityError for anything that is not a number from 0 to 100 with "%" behind it."""
    match = re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]{1,2})?)%", text.strip(), re.ASCII)
    if not match or float(match.group(1)) > 100:
        raise QuantityError(f'expected a percentage from "0%" to "100%", got "{text}"')
    return float(match.group(1)) / 100
