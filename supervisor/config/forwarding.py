"""Where a unit's output may go besides its own log: the values of `[log] forward`.

    "journald"                    journald's own socket
    "syslog:/dev/log"             a Unix socket that takes syslog's datagrams
    "syslog:udp:HOST:PORT"        RFC 5424 over UDP (RFC 5426)
    "syslog:tcp:HOST:PORT"        RFC 5424 over TCP, each message ended by a newline (RFC 6587, non-transparent framing)

Only the form is checked here: whether somebody listens is found out by whoever sends.
"""

from supervisor.config.kinds import Context, Kind, each, expected, string
from supervisor.config.problems import Mistake

WORDS = '"journald", "syslog:/PATH", "syslog:udp:HOST:PORT" or "syslog:tcp:HOST:PORT"'


def read_forward(value: object, context: Context, key: str) -> tuple[str, ...]:
    found = each(f"{WORDS}, or a list of them", value, _destination)
    return tuple(dict.fromkeys(found))


def _destination(item: object) -> str:
    text = string(item, WORDS)
    kind, _, rest = text.partition(":")
    if text == "journald" or (kind == "syslog" and rest.startswith("/")):
        return text
    transport, _, address = rest.partition(":")
    if kind == "syslog" and transport in ("udp", "tcp"):
        host, _, port = address.rpartition(":")
        if not host or not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
            raise Mistake(f'"{text}" names no host and port', f"write syslog:{transport}:HOST:PORT")
        return text
    raise expected(
        WORDS, item, 'write "syslog:/dev/log"' if text == "syslog" else 'write "journald"' if text in ("journal", "journald:") else ""
    )


FORWARD = Kind(WORDS, read_forward, {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]})
