"""A line of a log as other loggers take it: journald's native protocol, the local syslog's, and RFC 5424. Pure.

The identifier is the unit. A prefix `<N>` gives the priority and goes, as systemd has it (SyslogLevelPrefix=, systemd.exec(5)); without one
it is 6, info. A line longer than the receiver takes is sent in pieces, each with everything that stands before the text.
"""

import time

from supervisor.client.logindex import NO_RUN
from supervisor.client.loglines import Line

PRIORITY = 6  # LOG_INFO
FACILITY = 3  # LOG_DAEMON
JOURNAL_LINE_BYTES = 48 << 10  # journald's own LineMax= (journald.conf(5))
SYSLOG_LINE_BYTES = 8 << 10  # what common receivers take by default; RFC 5426 asks for 2 KiB at least
_APP_NAME_CHARS = 48  # RFC 5424, 6.2.5


def priority_of(text: bytes) -> tuple[int, bytes]:
    """The priority that a line begins with, and the line without it."""
    if len(text) >= 3 and text[:1] == b"<" and text[2:3] == b">" and text[1:2] in (b"0", b"1", b"2", b"3", b"4", b"5", b"6", b"7"):
        return text[1] - ord("0"), text[3:]
    return PRIORITY, text


def journal(line: Line) -> list[bytes]:
    """The datagrams for journald's socket (systemd.io/JOURNAL_NATIVE_PROTOCOL)."""
    priority, text = priority_of(line.text)
    head = f"SYSLOG_IDENTIFIER={line.unit}\nPRIORITY={priority}\nSYSLOG_FACILITY={FACILITY}\n"
    head += f"SUPD_UNIT={line.unit}\nSUPD_STREAM={line.stream}\n"
    if line.run != NO_RUN:
        head += f"SUPD_RUN={line.run.hex()}\n"
    return [head.encode() + b"MESSAGE=" + piece + b"\n" for piece in _pieces(text, JOURNAL_LINE_BYTES)]


def local_syslog(line: Line) -> list[bytes]:
    """The datagrams for /dev/log, as syslog(3) writes them."""
    priority, text = priority_of(line.text)
    moment = time.localtime(line.time_us // 1_000_000)
    head = f"<{FACILITY * 8 + priority}>{time.strftime('%b %e %H:%M:%S', moment)} {line.unit}: ".encode()
    return [head + piece for piece in _pieces(text, SYSLOG_LINE_BYTES)]


def rfc5424(line: Line, host: str) -> list[bytes]:
    """Messages for UDP; over TCP each is followed by a newline."""
    priority, text = priority_of(line.text)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(line.time_us // 1_000_000))
    name = line.unit[:_APP_NAME_CHARS]
    head = f"<{FACILITY * 8 + priority}>1 {stamp}.{line.time_us % 1_000_000:06d}Z {host or '-'} {name} - - - ".encode()
    return [head + piece for piece in _pieces(text, SYSLOG_LINE_BYTES)]


def _pieces(text: bytes, limit_bytes: int) -> list[bytes]:
    return [text[start : start + limit_bytes] for start in range(0, len(text), limit_bytes)] or [b""]
