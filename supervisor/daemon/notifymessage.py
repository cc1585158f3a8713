"""What one datagram on a notify socket says: systemd's reading of it, to the letter (checked against systemd 252).

- At most 4096 bytes; one NUL at the very end is allowed, any other spoils the message.
- Lines are separated by newlines or carriage returns, empty ones do not count. A backslash goes and keeps the next character
  as it is; a backslash at the very end spoils the message.
- A line `BARRIER=1` makes the message a barrier: nothing else in it counts.
- READY=1, RELOADING=1 and STOPPING=1 are exact lines, and the last of them wins; of every other key the first line wins. A RELOADING=1
  before the READY=1 that wins stays: a whole reload may be told of in one message.
- STATUS that is not UTF-8 is an empty status.
- Numbers are C's (`strtoul` with base 0); what is not a number is dropped and said so.

Never: asks who sent it, or what the unit makes of it (`notify`, the engine).
"""

from typing import NamedTuple

from supervisor.model.integers import UINT64_MAX, parse_integer

SIZE_MAX_BYTES = 4096
_STATES = ("READY", "RELOADING", "STOPPING")
_NUMBERS = ("MAINPID", "WATCHDOG_USEC", "EXTEND_TIMEOUT_USEC", "MONOTONIC_USEC")
_NAME_LENGTH_MAX = 255


class Message(NamedTuple):
    """`fields` as the engine takes them; `notes` are sentences for the log about what was left out."""

    fields: dict[str, str]
    is_barrier: bool = False
    notes: tuple[str, ...] = ()


def parse(raw: bytes) -> Message:
    if len(raw) > SIZE_MAX_BYTES:
        return _spoilt(f"a notification longer than {SIZE_MAX_BYTES} bytes was ignored")
    if b"\0" in raw[:-1]:
        return _spoilt("a notification with an embedded NUL byte was ignored")
    lines = _split(raw.removesuffix(b"\0"))
    if lines is None:
        return _spoilt("a notification that ends in a backslash was ignored")
    if b"BARRIER=1" in lines:
        notes = ("everything beside BARRIER=1 in its notification was ignored",) if len(lines) > 1 else ()
        return Message({}, is_barrier=True, notes=notes)
    return _fields(lines)


def _spoilt(note: str) -> Message:
    return Message({}, notes=(note,))


def _split(raw: bytes) -> list[bytes] | None:
    if b"\\" not in raw:
        return [line for line in raw.replace(b"\r", b"\n").split(b"\n") if line]
    lines = [bytearray()]
    is_escaped = False
    for byte in raw:
        if is_escaped:
            lines[-1].append(byte)
            is_escaped = False
        elif byte == 0x5C:
            is_escaped = True
        elif byte in b"\r\n":
            lines.append(bytearray())
        else:
            lines[-1].append(byte)
    return None if is_escaped else [bytes(line) for line in lines if line]


def _fields(lines: list[bytes]) -> Message:
    fields: dict[str, str] = {}
    notes: list[str] = []
    state = ""
    is_reloading = False
    for line in lines:
        raw_key, separator, raw_value = line.partition(b"=")
        key = raw_key.decode("utf-8", "replace")
        if not separator or not key:
            continue
        if key in _STATES:
            # RELOADING=0 and the like mean nothing (sd_notify(3)): only the exact line counts.
            if raw_value == b"1":
                state = key
                is_reloading = is_reloading or key == "RELOADING"
        elif key not in fields:
            fields[key] = _status(raw_value, notes) if key == "STATUS" else raw_value.decode("utf-8", "replace")
    if state == "READY" and is_reloading:
        fields["RELOADING"] = "1"
    if state:
        fields[state] = "1"
    for key in _NUMBERS:
        _make_number(fields, key, notes)
    _check_errno(fields, notes)
    _check_name(fields, notes)
    return Message(fields, notes=tuple(notes))


def _status(raw: bytes, notes: list[str]) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        notes.append("the STATUS= of a notification is not UTF-8 and was ignored")
        return ""


def _make_number(fields: dict[str, str], key: str, notes: list[str]) -> None:
    text = fields.get(key)
    if text is None:
        return
    value = _number(text)
    # Neither pid 0 nor a watchdog of no time is meant by anybody; a pid beyond pid_t cannot be.
    if value is None or (key == "MAINPID" and not 0 < value < 1 << 31):
        notes.append(f"{key}={text!r} in a notification is not a number that can be meant and was ignored")
        del fields[key]
    else:
        fields[key] = str(value)


def _check_errno(fields: dict[str, str], notes: list[str]) -> None:
    text = fields.get("ERRNO")
    if text is None:
        return
    import errno

    value = _number(text)
    if value is None:
        value = next((code for code, name in errno.errorcode.items() if name == text), None)
    if value is None or value > 4095:
        notes.append(f"ERRNO={text!r} in a notification names no error and was ignored")
        del fields["ERRNO"]
    else:
        fields["ERRNO"] = str(value)


def _check_name(fields: dict[str, str], notes: list[str]) -> None:
    """FDNAME: printable ASCII without a colon, at most 255 characters (sd_pid_notify_with_fds(3))."""
    name = fields.get("FDNAME")
    if name is not None and not (0 < len(name) <= _NAME_LENGTH_MAX and name.isascii() and name.isprintable() and ":" not in name):
        notes.append(f"FDNAME={name[:40]!r} in a notification cannot name a descriptor and was ignored")
        del fields["FDNAME"]


def _number(text: str) -> int | None:
    value = parse_integer(text)
    return value if value is not None and 0 <= value <= UINT64_MAX else None
