"""Integers as systemd's safe_atoi() and its like read them. Imports nothing: supctl's fast path reads statuses and signals with it."""

UINT64_MAX = 2**64 - 1
_DIGITS_MAX = 130  # beyond UINT64_MAX in every base; Python refuses to convert thousands


def bounded_int(digits: str, base: int = 10) -> int:
    """int(), whatever the length: a number beyond UINT64_MAX may come out smaller than it is, and still beyond."""
    return int(digits.lstrip("0")[:_DIGITS_MAX] or "0", base)


def parse_integer(text: str) -> int | None:
    """17, -17, +17, 0x11, 021, 0b10001 or 0o21, with blanks before it (bounded as `bounded_int`); None for anything else."""
    digits = text.lstrip(" \t\n\r")
    base = {"0b": 2, "0B": 2, "0o": 8, "0O": 8}.get(digits[:2], 0)
    if base:
        digits = digits[2:].lstrip(" \t\n\r")
    is_negative = digits.startswith("-")
    digits = digits[1:] if digits[:1] in ("+", "-") else digits
    if not base and digits[:2] in ("0x", "0X"):
        base, digits = 16, digits[2:]
    elif not base:
        base = 8 if digits[:1] == "0" else 10  # C's octal
    if not digits or not frozenset("0123456789abcdef"[:base]).issuperset(digits.lower()):
        return None
    return -bounded_int(digits, base) if is_negative else bounded_int(digits, base)
