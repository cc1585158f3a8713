"""Times, sizes and counts in as few cells as possible: what stands in columns.

Where a sentence has room, `cli`'s longer words are used. Every function is total: a negative span is zero, an unknown value a dash.
"""

import time

from supervisor.client.terminal import neutralise

_MINUTE_S = 60
_HOUR_S = 3600
_DAY_S = 86400
_YEAR_S = 365 * _DAY_S
_KIBIBYTE = 1024


def short_span(seconds: float) -> str:
    """A length of time in at most six cells: "4s", "2m11", "3h06", "12d03h", "400d", "3y"."""
    whole = max(0, int(seconds))
    if whole < _MINUTE_S:
        return f"{whole}s"
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S}m{whole % _MINUTE_S:02d}"
    if whole < _DAY_S:
        return f"{whole // _HOUR_S}h{whole % _HOUR_S // _MINUTE_S:02d}"
    if whole < 100 * _DAY_S:
        return f"{whole // _DAY_S}d{whole % _DAY_S // _HOUR_S:02d}h"
    return f"{whole // _DAY_S}d" if whole < 3 * _YEAR_S else f"{whole // _YEAR_S}y"


def _step_s(whole: int) -> int:
    """How long `short_span` says the same of spans of this length."""
    if whole < _HOUR_S:
        return 1
    if whole < _DAY_S:
        return _MINUTE_S
    if whole < 100 * _DAY_S:
        return _HOUR_S
    return _DAY_S if whole < 3 * _YEAR_S else _YEAR_S


def grows_at(since_s: float, now_s: float) -> float:
    """When the span since then, as `short_span` says it now, will be another one: of what is hours old, in minutes from now."""
    whole = max(0, int(now_s - since_s))
    step_s = _step_s(whole)
    return since_s + (whole // step_s + 1) * step_s


def shrinks_at(until_s: float, now_s: float) -> float:
    """The same of a span until then, which ends at nothing: from there on it says the same for ever."""
    whole = max(0, int(until_s - now_s))
    return until_s - whole // _step_s(whole) * _step_s(whole) if whole else float("inf")


def short_ago(seconds: float) -> str:
    """The same, for what is over: "41s ago"; without minutes' seconds from an hour on."""
    return f"{short_span(seconds)} ago"


def short_size(number: float | None) -> str:
    """Bytes in at most five cells: "-", "0B", "812M", "3.9G", "1023M"."""
    if number is None:
        return "-"
    value = max(0.0, float(number))
    for letter in "BKMG":
        if value < _KIBIBYTE:
            # One decimal only where it says something: below ten, and never of single bytes.
            return f"{value:.1f}{letter}" if letter in "MG" and value < 9.95 else f"{value:.0f}{letter}"
        value /= _KIBIBYTE
    return f"{value:.1f}T"


def percent(value: float | None) -> str:
    """A share of one core in at most five cells: "-", "0.0", "61.2", "214"."""
    if value is None:
        return "-"
    return f"{value:.1f}" if value < 99.95 else f"{value:.0f}"


def count(number: int) -> str:
    """A whole number with thousands apart: "1,204"."""
    return f"{number:,}"


def one_line(text: str) -> str:
    """Foreign text, harmless and without line breaks or tabs."""
    return " ".join(neutralise(text).split())


def fit(text: str, width: int, ellipsis: str = "…") -> str:
    """`text` cut to `width` characters, with the sign that something is missing. Only for text of one cell a character."""
    if len(text) <= width:
        return text
    return text[: max(0, width - len(ellipsis))] + ellipsis[:width]


def moment(time_s: float | None, now_s: float) -> str:
    """A time of the wall clock in at most twelve cells: "12:03:44" of the day that is `now_s`, "27 Nov 12:03" of another, "-" for none."""
    if time_s is None:
        return "-"
    local, today = time.localtime(time_s), time.localtime(now_s)
    is_today = local[:3] == today[:3]
    return time.strftime("%H:%M:%S" if is_today else "%d %b %H:%M", local)


def precise_span(seconds: float | None) -> str:
    """How long something took, in at most six cells: "-", "87ms", "4.1s", "2m11"."""
    if seconds is None:
        return "-"
    if seconds < 0.9995:
        return f"{max(0.0, seconds) * 1000:.0f}ms"
    return f"{seconds:.1f}s" if seconds < 59.95 else short_span(seconds)
