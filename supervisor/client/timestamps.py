"""Time stamps as a person writes them, read as systemd reads them (`systemd.time(7)`, PARSING TIMESTAMPS).

Decides what `--since` and `--until` understand: "now", "today", "yesterday", "tomorrow", "-5min", "+1h", "5min ago", "@UNIX", and
"YYYY-MM-DD HH:MM:SS" with the date, the time or the seconds left out; in local time, or in UTC with " UTC" or "Z" behind it. Week days
and other zones are not read: they are refused, never guessed.
"""

import re
import time

from supervisor.model.errors import QuantityError
from supervisor.model.quantities import parse_time_span

SYNTAX = 'a time such as "-5min", "5min ago", "today", "2026-01-02 03:04", "03:04:05" or "@1767322800"'
_DAYS = {"yesterday": -1, "today": 0, "tomorrow": 1}
_STAMP = re.compile(
    r"(?:(\d{4})-(\d{1,2})-(\d{1,2}))?(?:(?:(?<=\d)[ T]|^)(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,6}))?)?)?( ?UTC|Z)?", re.ASCII
)
_UNIX = re.compile(r"@(\d{1,12})(?:\.(\d{1,6}))?", re.ASCII)


def parse(text: str, now_us: int) -> int:
    """Microseconds since the epoch; relative ones count from `now_us`. Raises QuantityError for anything else."""
    word = text.strip()
    if word == "now":
        return now_us
    if word in _DAYS:
        today = time.localtime(now_us // 1_000_000)
        return _local_us(today.tm_year, today.tm_mon, today.tm_mday + _DAYS[word], 0, 0, 0)
    if word[:1] in ("-", "+") or word.endswith(" ago"):
        span_us = parse_time_span(word[1:] if word[0] in "-+" else word.removesuffix(" ago"))
        if span_us is None:
            raise QuantityError(f'expected {SYNTAX}, got "{text}"')
        return now_us + span_us if word[0] == "+" else max(now_us - span_us, 0)
    if match := _UNIX.fullmatch(word):
        return int(match[1]) * 1_000_000 + _fraction_us(match[2])
    return _absolute(text, word, now_us)


def _absolute(text: str, word: str, now_us: int) -> int:
    match = _STAMP.fullmatch(word)
    if match is None or not (match[1] or match[4]):
        raise QuantityError(f'expected {SYNTAX}, got "{text}"')
    is_utc = match[8] is not None
    today = time.gmtime(now_us // 1_000_000) if is_utc else time.localtime(now_us // 1_000_000)
    year, month, day = (int(match[n]) for n in (1, 2, 3)) if match[1] else (today.tm_year, today.tm_mon, today.tm_mday)
    hour, minute, second = (int(match[n] or 0) for n in (4, 5, 6))
    if not (year >= 1970 and 1 <= month <= 12 and 1 <= day <= _days_of(year, month) and hour < 24 and minute < 60 and second < 60):
        raise QuantityError(f'there is no such time: "{text}"')
    whole_us = _utc_us(year, month, day, hour, minute, second) if is_utc else _local_us(year, month, day, hour, minute, second)
    return max(whole_us + _fraction_us(match[7]), 0)


def _days_of(year: int, month: int) -> int:
    from calendar import monthrange

    return monthrange(year, month)[1]


def _local_us(year: int, month: int, day: int, hour: int, minute: int, second: int) -> int:
    return int(time.mktime((year, month, day, hour, minute, second, 0, 0, -1))) * 1_000_000


def _utc_us(year: int, month: int, day: int, hour: int, minute: int, second: int) -> int:
    from calendar import timegm

    return timegm((year, month, day, hour, minute, second, 0, 0, 0)) * 1_000_000


def _fraction_us(digits: str | None) -> int:
    return int(digits.ljust(6, "0")) if digits else 0
