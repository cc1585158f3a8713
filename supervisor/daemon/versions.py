"""Compares version strings as systemd does (strverscmp_improved(), the UAPI Group's version format specification).

Read from the left: "~" sorts before everything, even the end; then the end, "-", "^", "." in this order; numbers by value and
before letters' end ("1" is newer than "a"); letters by their ASCII order. Anything else only separates.
"""

_DIGITS = frozenset("0123456789")
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_SEPARATORS = "-^."
_VALID = _DIGITS | _LETTERS | frozenset("~" + _SEPARATORS)


def compare(left: str, right: str) -> int:
    """-1, 0 or 1: whether `left` is older than, equal to or newer than `right`."""
    i = j = 0
    while True:
        i, j = _skip_invalid(left, i), _skip_invalid(right, j)
        a, b = left[i : i + 1], right[j : j + 1]
        if "~" in (a, b):
            if a != b:
                return -1 if a == "~" else 1
            i, j = i + 1, j + 1
            a, b = left[i : i + 1], right[j : j + 1]
        if not a or not b:
            return _sign(bool(a), bool(b))
        for separator in _SEPARATORS:
            if separator in (a, b):
                if a != b:
                    return -1 if a == separator else 1
                i, j = i + 1, j + 1
                a, b = left[i : i + 1], right[j : j + 1]
        charset = _DIGITS if a in _DIGITS or b in _DIGITS else _LETTERS
        end_i, end_j = _end_of(left, i, charset), _end_of(right, j, charset)
        segment_a, segment_b = left[i:end_i], right[j:end_j]
        if charset is _DIGITS:
            order = _sign(bool(segment_a), bool(segment_b)) or _compare_numbers(segment_a, segment_b)
        else:
            order = (segment_a > segment_b) - (segment_a < segment_b)
        if order:
            return order
        i, j = end_i, end_j


def _skip_invalid(text: str, position: int) -> int:
    while position < len(text) and text[position] not in _VALID:
        position += 1
    return position


def _end_of(text: str, position: int, charset: frozenset[str]) -> int:
    while position < len(text) and text[position] in charset:
        position += 1
    return position


def _compare_numbers(left: str, right: str) -> int:
    """Numbers of any length, without counting them out."""
    left, right = left.lstrip("0"), right.lstrip("0")
    return _sign(len(left), len(right)) or (left > right) - (left < right)


def _sign(left: int, right: int) -> int:
    return (left > right) - (left < right)
