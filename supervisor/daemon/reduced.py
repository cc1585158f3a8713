"""The manager that cannot be one: what a takeover failed for is said to whoever asks, and what cannot wait goes on (DESIGN, Manager).

Where the state directory cannot be used, or no engine can be made of what is remembered, this takes the manager's place for a while. It
moves the logs, also those of what ends; answers `status` and `version` and refuses everything else, with the reason; and when it is asked
to stop, it ends every run. Then it leaves, and the keeper's next manager tries anew: after 5 s first, later after a minute.

It never starts or restarts a unit, and tells the keeper to forget nothing: every exit is still there for the manager that comes after.
"""

import asyncio
import json
import os
import socket
import struct
import time
from http import HTTPStatus
from typing import Any

from supervisor import __version__
from supervisor.daemon.link import KeeperLink, LinkClosed
from supervisor.daemon.logs import LogPump

EX_TEMPFAIL = 75  # sysexits.h: try again
KEEPER_GONE = 1
TRY_FIRST_S = 5.0
TRY_MAX_S = 60.0
TRIES_KEY = "reduced"  # remembered: how often in a row; a takeover that succeeds forgets it
REQUEST_LIMIT_S = 5.0
HEAD_MAX_BYTES = 16_384
STOP_LIMIT_S = 90.0  # then SIGKILL; the units' own time-outs are not known here
_STOP_SIGNALS = (2, 15)
_SIGKILL, _SIGTERM, _SIGCONT = 9, 15, 18
Json = dict[str, Any]


def run(link: KeeperLink, state_directory: str, why: str, started_s: float) -> int:
    """Be there in the manager's place, for a while. Returns the exit status."""
    try:
        return asyncio.run(_Reduced(link, state_directory, why, started_s).serve())
    except LinkClosed:
        return KEEPER_GONE


class _Reduced:
    def __init__(self, link: KeeperLink, state_directory: str, why: str, started_s: float) -> None:
        self._link = link
        self._why = why
        self._started_s = started_s
        self._pump = LogPump(os.path.join(state_directory, "logs"))
        runs = link.table["runs"]
        self._unit_of = {run: entry["unit"] for run, entry in runs.items()}
        self._living = {run for run, entry in runs.items() if entry["pid"] and not any(fact[0] == "exited" for fact in entry["reports"])}
        tries = int(link.table["remembered"].get(TRIES_KEY) or 0)
        self._leaves_in_s = min(TRY_FIRST_S * 2.0 ** min(tries, 16), TRY_MAX_S)
        self._kill_at_s: float | None = None  # asked to stop: what has not ended by then is killed
        link.send({TRIES_KEY: str(tries + 1)}, [])

    async def serve(self) -> int:
        loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[int] = loop.create_future()
        for name, descriptor in self._link.stored.items():
            kind, _, stream = name.partition(":")
            if kind == "log":
                self._pump.adopt(stream, os.dup(descriptor))
        self._pump.start()
        loop.add_reader(self._link.fileno(), self._on_link_readable)
        control = socket.socket(fileno=os.dup(self._link.stored["control"]))
        server = await asyncio.start_unix_server(self._answer, sock=control, limit=HEAD_MAX_BYTES)
        loop.call_later(self._leaves_in_s, self._end, EX_TEMPFAIL)
        status = await self._ended
        server.close()
        self._pump.stop()
        self._link.flush_all(1.0)
        return status

    def _end(self, status: int) -> None:
        if self._kill_at_s is not None and status == EX_TEMPFAIL:
            return  # asked to stop: that comes first
        if not self._ended.done():
            self._ended.set_result(status)

    # -- the keeper ------------------------------------------------------------------------------------------------

    def _on_link_readable(self) -> None:
        try:
            reports = self._link.receive()
        except LinkClosed:
            self._end(KEEPER_GONE)
            return
        for report in reports:
            if report[0] == "exited":
                self._living.discard(report[1])
                if (unit := self._unit_of.get(report[1])) is not None:
                    self._pump.drain(unit)
            elif report[0] == "signaled" and report[1] in _STOP_SIGNALS:
                self._stop()
        if self._kill_at_s is not None and not self._living:
            self._link.send({}, [["leave", 1]])
            self._end(1)

    def _stop(self) -> None:
        """End every run, at once and in no order: who comes before whom is not known here. A second request does not wait."""
        is_first = self._kill_at_s is None
        self._signal_all(_SIGTERM if is_first else _SIGKILL)
        if is_first:
            self._kill_at_s = time.monotonic() + STOP_LIMIT_S
            asyncio.get_running_loop().call_later(STOP_LIMIT_S, self._signal_all, _SIGKILL)

    def _signal_all(self, number: int) -> None:
        self._link.send({}, [["signal", run, each] for run in sorted(self._living) for each in (number, _SIGCONT)])

    # -- those who ask ---------------------------------------------------------------------------------------------

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if not self._is_owner(writer.get_extra_info("socket")):
                return
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), REQUEST_LIMIT_S)
            method, target, _ = head.split(b"\r\n")[0].decode("latin-1").split(" ", 2)
            status, body = self._reply(method, target.partition("?")[0])
            text = json.dumps(body).encode()
            line = f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\n"
            writer.write(f"{line}Content-Length: {len(text)}\r\nConnection: close\r\n\r\n".encode() + text)
            await asyncio.wait_for(writer.drain(), REQUEST_LIMIT_S)
        except (OSError, ValueError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # who asks like that is not answered
        finally:
            writer.close()

    @staticmethod
    def _is_owner(end: socket.socket) -> bool:
        """Roles are not read here: root and the owner alone are answered."""
        _, uid, _ = struct.unpack("3i", end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        return uid in (0, os.geteuid())

    def _reply(self, method: str, path: str) -> tuple[HTTPStatus, Json]:
        version: Json = {
            "version": __version__,
            "keeper_pid": self._link.table["keeper_pid"],
            "manager_pid": os.getpid(),
            "started_time_s": self._started_s,
        }
        if method == "GET" and path == "/v1/version":
            return HTTPStatus.OK, version
        text = f"the manager cannot work: {self._why}; services run on, and it is tried again every {self._leaves_in_s:g} s"
        if method == "GET" and path == "/v1/status":
            return HTTPStatus.OK, {
                **version,
                "mode": "reduced",
                "load_errors": [],
                "units": {},
                "jobs": 0,
                "notes": [text],
                "leaving": None,
            }
        hint = "mend the cause: nothing else need be done"
        return HTTPStatus.SERVICE_UNAVAILABLE, {"error": {"code": "reduced", "message": text, "unit": "", "hint": hint}}
