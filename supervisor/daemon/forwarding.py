"""`[log] forward`: what units write goes to journald or syslog besides. One thread for each destination, read back from the segments.

Laws:
- Nothing waits for a receiver: the pump only sets a flag. The segments are the buffer, so a receiver that is slow or away for a while
  gets all of it later, in order; what is further behind than LAG_MAX_BYTES is skipped, counted and said.
- A line is sent at least once: where each stream stands is remembered with the keeper once a second, so that after a manager's death
  lines of one second may come twice, and none is missing. A stream that was never forwarded begins with what is written from then on.
- One destination never holds up another.

Every time-out here is of one system call of one such thread.
"""

import os
import socket
import time
from collections.abc import Callable, Iterable
from threading import Event, Thread

from supervisor.client.logfile import segment_name, segments
from supervisor.client.loglines import ERR, OUT, Line, LocalStream
from supervisor.client.logpages import place_text, read_place
from supervisor.daemon import forwardformats as formats
from supervisor.daemon.logs import LogPump
from supervisor.daemon.stdio import STDERR
from supervisor.model.specification import Log

FORWARD_PREFIX = "forward:"  # remembered with the keeper: destination and stream -> place
JOURNALD_SOCKET = "/run/systemd/journal/socket"
LAG_MAX_BYTES = 64 << 20
SEND_LIMIT_S = 5.0
RETRY_FIRST_S = 0.2
RETRY_MAX_S = 10.0
REMEMBER_EVERY_S = 1.0

Place = tuple[int, int]


class Sender:
    """A destination's socket, made when it is needed and again after a failure. `send` raises OSError."""

    def __init__(self, destination: str, journald_socket: str = JOURNALD_SOCKET) -> None:
        self.destination = destination
        self._socket: socket.socket | None = None
        self._host = os.uname().nodename
        self._path = journald_socket if destination == "journald" else destination.removeprefix("syslog:")
        self._transport, _, self._address = self._path.partition(":")
        self._form = self._choose()

    def _choose(self) -> Callable[[Line], list[bytes]]:
        if self.destination == "journald":
            return formats.journal
        return formats.local_syslog if self._path.startswith("/") else lambda line: formats.rfc5424(line, self._host)

    def send(self, line: Line) -> None:
        """Hand one line over; the system call for it may last SEND_LIMIT_S."""
        end = self._socket = self._socket or self._connected()
        try:
            for message in self._form(line):
                if self._transport == "tcp":
                    end.sendall(message + b"\n")
                else:
                    end.send(message)
        except OSError:
            self.close()
            raise

    def _connected(self) -> socket.socket:
        if self._path.startswith("/"):
            end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            try:
                end.settimeout(SEND_LIMIT_S)
                end.connect(self._path)
            except OSError:
                end.close()
                raise
            return end
        host, _, port = self._address.rpartition(":")
        if self._transport == "tcp":
            return socket.create_connection((host.strip("[]"), int(port)), SEND_LIMIT_S)
        family, kind, number, _, address = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_DGRAM)[0]
        end = socket.socket(family, kind, number)
        end.settimeout(SEND_LIMIT_S)
        end.connect(address)
        return end

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class Destination:
    """One destination's thread, and where each stream that goes there stands."""

    def __init__(
        self, sender: Sender, remember: Callable[[dict[str, str]], object], say: Callable[[str], object], lag_max_bytes: int
    ) -> None:
        self.name = sender.destination
        self.dropped_bytes = 0
        self.trouble = ""
        self._sender = sender
        self._remember = remember
        self._say = say
        self._lag_max_bytes = lag_max_bytes
        self._places: dict[str, Place] = {}
        self._streams: dict[str, LocalStream] = {}
        self._grown: dict[str, None] = {}
        self._news = Event()
        self._stopping = Event()
        self._unremembered: dict[str, str] = {}
        self._remembered_s = time.monotonic()
        self._thread = Thread(target=self._run, name=f"forward to {self.name}", daemon=True)
        self._thread.start()

    def add(self, name: str, stream: LocalStream, place: Place) -> None:
        """Forward this stream from that place on. No harm when it is known."""
        if name not in self._streams:
            self._places[name] = place
            self._streams[name] = stream
            self.note_grown((name,))

    def note_grown(self, names: Iterable[str]) -> None:
        """Called on any thread; returns at once."""
        for name in names:
            if name in self._streams:
                self._grown[name] = None
        self._news.set()

    def notes(self) -> list[str]:
        found = [f"cannot forward logs to {self.name}: {self.trouble}; lines are kept and sent later"] if self.trouble else []
        if self.dropped_bytes:
            found.append(f"{self.dropped_bytes} bytes of logs were not forwarded to {self.name}: it was too far behind")
        return found

    def close(self, limit_s: float) -> None:
        """Send what is there, for so long at most."""
        self._stopping.set()
        self._news.set()
        self._thread.join(limit_s)

    # The thread

    def _run(self) -> None:
        pause_s = RETRY_FIRST_S
        while self._grown or not self._stopping.is_set():
            # A second after the last line the places are remembered; without lines nobody is woken.
            if not self._grown and not self._news.wait(REMEMBER_EVERY_S if self._unremembered else None):
                self._flush()
            self._news.clear()
            while self._grown:
                if time.monotonic() - self._remembered_s >= REMEMBER_EVERY_S:
                    self._flush()
                name, _ = self._grown.popitem()
                try:
                    was_sent = self._forward(name)
                except OSError as error:
                    self._grown[name] = None
                    self._note_trouble(error.strerror or str(error))
                    self._skip_what_is_too_far_behind()
                    if self._stopping.wait(pause_s):
                        self._grown.clear()
                    pause_s = min(pause_s * 2, RETRY_MAX_S)
                else:
                    if was_sent:  # a stream without news says nothing of the receiver
                        pause_s = RETRY_FIRST_S
                        self._note_trouble("")
        self._flush()
        self._sender.close()

    def _note_trouble(self, text: str) -> None:
        before, self.trouble = self.trouble, text
        if text and not before:
            self._say(f"cannot forward logs to {self.name}: {text}; they are kept and sent later")
        elif before and not text:
            self._say(f"logs are forwarded to {self.name} again; {self.dropped_bytes} bytes were skipped so far")

    def _forward(self, name: str) -> bool:
        """Send what is new in this stream; whether that was anything. Raises OSError."""
        stream, was_sent = self._streams[name], False
        for chunk in stream.forward(self._places[name]):
            for line in chunk.lines:
                if not line.ends:
                    return was_sent  # it is sent when it is whole
                self._sender.send(line)
                was_sent = True
                self._note(name, line.next_place)
            self._note(name, chunk.place)
        return was_sent

    def _note(self, name: str, place: Place) -> None:
        self._places[name] = place
        self._unremembered[f"{FORWARD_PREFIX}{self.name} {name}"] = place_text(place)

    def _flush(self) -> None:
        self._remembered_s = time.monotonic()
        if self._unremembered:
            unremembered, self._unremembered = self._unremembered, {}
            self._remember(unremembered)

    def _skip_what_is_too_far_behind(self) -> None:
        for name, stream in list(self._streams.items()):
            behind = _bytes_after(stream.directory, self._places[name])
            if behind > self._lag_max_bytes:
                self.dropped_bytes += behind
                newest = max(segments(stream.directory), default=0)
                self._note(name, (newest, _size(stream.directory, newest)))


class Forwarding:
    """All destinations of this manager. `remember` (what the keeper is to keep) and `say` are called on any thread."""

    def __init__(
        self,
        pump: LogPump,
        remembered: dict[str, str],
        remember: Callable[[dict[str, str]], object],
        say: Callable[[str], object],
        sender: Callable[[str], Sender] = Sender,
        lag_max_bytes: int = LAG_MAX_BYTES,
    ) -> None:
        self._pump = pump
        self._remembered = remembered
        self._remember = remember
        self._say = say
        self._sender = sender
        self._lag_max_bytes = lag_max_bytes
        self._destinations: dict[str, Destination] = {}
        pump.on_configured = self.configure
        for unit, log in list(pump.settings.items()):
            self.configure(unit, log)
        pump.listeners.append(self._on_grown)

    def configure(self, unit: str, log: Log) -> None:
        """Forward the unit as its [log] says, from now on."""
        for name in log.forward:
            if name not in self._destinations:
                self._destinations[name] = Destination(self._sender(name), self._remember, self._say, self._lag_max_bytes)
            for stream, kind in ((unit, OUT), (unit + STDERR, ERR)):
                known = self._remembered.get(f"{FORWARD_PREFIX}{name} {stream}")
                place = read_place(known) if known else self._pump.first_place(stream)
                if not known:  # at once: a manager that dies now leaves lines that nobody else would send
                    self._remembered[f"{FORWARD_PREFIX}{name} {stream}"] = place_text(place)
                    self._remember({f"{FORWARD_PREFIX}{name} {stream}": place_text(place)})
                self._destinations[name].add(stream, LocalStream(unit, self._pump.directory_of(unit), kind), place)

    def notes(self) -> list[str]:
        """What a person should know."""
        return [note for destination in self._destinations.values() for note in destination.notes()]

    def close(self, limit_s: float) -> None:
        """Send what can be sent, for so long at most each."""
        if self._on_grown in self._pump.listeners:
            self._pump.listeners.remove(self._on_grown)
            self._pump.on_configured = None
        for destination in self._destinations.values():
            destination.close(limit_s)

    def _on_grown(self, unit: str) -> None:
        if self._destinations and (log := self._pump.settings.get(unit)) is not None:
            for name in log.forward:
                self._destinations[name].note_grown((unit, unit + STDERR))


def _size(directory: str, sequence: int) -> int:
    try:
        return os.stat(os.path.join(directory, segment_name(sequence))).st_size
    except OSError:
        return 0  # none yet, or compressed: then it is no longer the newest


def _bytes_after(directory: str, place: Place) -> int:
    """How much was written after this place, about: a compressed segment counts nothing."""
    numbers = [number for number in segments(directory) if number >= place[0]]
    return sum(_size(directory, number) - (place[1] if number == place[0] else 0) for number in numbers)
