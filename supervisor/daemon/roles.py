"""The roles in force: read from `supd.toml` at a start and at `reload-units`, kept by the keeper in between.

Laws:
- A file with errors changes nothing: the roles of before stay, at a start nobody but the owner, root and the socket group.
- After a manager's death the roles are those that were in force, not what the file says by now; a crash must change nothing.
- The socket's mode lets others connect only while a role names others; who may ask is decided for each peer, never by that mode.
- Unit files and roles are one set at a reload: an error in either keeps both as they were.

It imports the parsers only when there is a file.
"""

import asyncio
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from supervisor.config import check
from supervisor.config.mode import Mode, roles_file
from supervisor.daemon.api.access import Access
from supervisor.daemon.api.service import Json
from supervisor.daemon.definitions import Definitions
from supervisor.daemon.link import KeeperLink
from supervisor.model.roles import Role, decode, encode

if TYPE_CHECKING:
    from supervisor.config.roles import RolesFile

REMEMBERED_KEY = "roles"


class Roles:
    """Who may ask. `on_change` is called with the new rule whenever it changes."""

    def __init__(self, mode: Mode, access: Access, link: KeeperLink, socket_path: str, say: Callable[[str, str], object]) -> None:
        self.access = access
        self.on_change: Callable[[Access], object] = lambda access: None
        self._path = roles_file(mode)
        self._link = link
        self._socket_path = socket_path
        self._say = say
        self._errors: list[Json] = []
        self._reading = asyncio.Lock()  # one after the other, so that the last that was asked for is the one in force

    def errors(self) -> list[Json]:
        """What was wrong with the file when it was read last; then the roles in force are older ones."""
        return self._errors

    async def start(self) -> None:
        """The roles of before, or at a first start those of the file. They are in force on return."""
        async with self._reading:
            remembered: str = self._link.table["remembered"].get(REMEMBERED_KEY, "")
            self._adopt(decode(remembered) if remembered else await self._read() or ())

    async def reload(self, definitions: Definitions) -> Json:
        """Read unit files and roles again; the answer of `reload-units`."""
        async with self._reading:
            return await self._reload(definitions)

    async def _reload(self, definitions: Definitions) -> Json:
        roles = await self._read()
        if roles is None:
            found = await asyncio.to_thread(check, definitions.mode)  # of both, so that a person sees everything at once
            return {"units": len(definitions.loaded.units), "errors": [problem.json() for problem in found.errors] or self._errors}
        answer = await definitions.reload()
        if not answer["errors"]:
            self._adopt(roles)
        return answer

    async def _read(self) -> tuple[Role, ...] | None:
        """The roles of the file, none when there is no file; None when it has errors, which are then said and kept."""
        if not os.path.lexists(self._path):
            self._errors = []
            return ()
        file = await asyncio.to_thread(_read_file, self._path)
        self._errors = [problem.json() for problem in file.problems]
        for problem in file.problems:
            self._say("error", problem.text())
        if self._errors:
            self._say("error", f"{self._path} has errors, so it gives nobody a new role and takes none away")
            return None
        return file.roles

    def _adopt(self, roles: tuple[Role, ...]) -> None:
        before, self.access = self.access, replace(self.access, roles=roles)
        if before.lets_others_in and not self.access.lets_others_in:
            self._set_mode(0o600 if self.access.group is None else 0o660)
        self._link.send({REMEMBERED_KEY: encode(roles)}, [])
        if self.access.lets_others_in:
            self._set_mode(0o666)
        if self.access != before:
            self.on_change(self.access)

    def _set_mode(self, mode: int) -> None:
        try:
            if stat.S_ISSOCK(os.lstat(self._socket_path).st_mode):
                os.chmod(self._socket_path, mode)
        except OSError as error:
            self._say("warning", f"cannot change who may connect to {self._socket_path}: {error.strerror}")


def _read_file(path: str) -> "RolesFile":
    from supervisor.config.roles import read_roles  # the parsers, which are loaded only where there is such a file

    return read_roles(path)
