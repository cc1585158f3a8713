"""`e`: a unit's file in the person's own editor, then check, difference, save, and what supd makes of it.

The text is never lost: it is a copy that is edited, a text that would not load is offered to the editor again as it is, and who leaves
then finds it in a file of which he is told. The loop, the connection and the logs go on while the editor has the terminal. supd acts on a
saved file by itself; where it is told not to (`on_change`), its plan is shown and applied when wanted.
"""

import asyncio
import os
import shlex
import tempfile
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from textual.app import SuspendNotSupported

from supervisor.tui.link.protocol import Json, LinkLost, Refused
from supervisor.tui.modals.review import Review
from supervisor.tui.model import edits
from supervisor.tui.model.edits import LEFT_ALONE
from supervisor.tui.widgets.host import Host
from supervisor.tui.widgets.terminal import run_in_terminal

if TYPE_CHECKING:
    from textual.app import App

_HEARD_WITHIN_S = 3.0  # supd reads a saved file within a fraction of this
_TOAST_S = 10.0
_AGAIN = ("e", "edit again", "again")
_KINDS_OF_ANSWERS = frozenset({"plan", "unit-files", "definition", "rollback"})


async def edit_unit(host: Host, app: "App[Any]", unit: str) -> None:
    """Everything from the key to the last toast. Called in a worker."""
    editing = _Editing(host, app, unit)
    try:
        path = await editing.find()
        if path is not None:
            await editing.edit(path)
    except Refused as refused:
        editing.complain(refused.text)
    except LinkLost as lost:
        editing.complain(f"supd does not answer: {lost}")


class _Editing:
    """One file under work."""

    def __init__(self, host: Host, app: "App[Any]", unit: str) -> None:
        self._host = host
        self._app = app
        self._unit = unit

    def complain(self, why: str) -> None:
        self._host.notify(why, title=f"cannot edit {self._unit}", severity="error", timeout=_TOAST_S, markup=False)

    async def find(self) -> str | None:
        """The path of the unit's own file; None when it may not be edited here, which is then said."""
        if self._host.is_read_only:
            self.complain("this screen is read-only")
            return None
        files = (await self._host.transport.definition(self._unit))["files"]
        if not files:
            self.complain("it has no file")
            return None
        path = str(files[0]["path"])
        if not self._host.transport.is_local:
            self.complain(
                f"{path} lies on another machine, or belongs to another user's supd; edit it there with `supctl edit {self._unit}`"
            )
        elif not os.access(path, os.R_OK | os.W_OK):
            self.complain(f"you may not write {path}")
        else:
            return path
        return None

    async def edit(self, path: str) -> None:
        before = await asyncio.to_thread(_read, path)
        with tempfile.TemporaryDirectory(prefix="supd-edit-") as directory:
            draft = os.path.join(directory, os.path.basename(path))
            await asyncio.to_thread(_write, draft, before)
            is_done = False
            try:
                is_done = await self._until_saved(draft, path, before)
            finally:
                if not is_done:  # also when the screen is left in the middle of it
                    self._keep(draft, before)

    async def _until_saved(self, draft: str, path: str, before: str) -> bool:
        """Round and round between editor and check. False: what was written is not in its place."""
        while await self._run_editor(draft):
            after = await asyncio.to_thread(_read, draft)
            if after == before:
                self._host.notify(f"{path} is unchanged", timeout=_TOAST_S, markup=False)
                return True
            answer = await self._judge(draft, path, before, after)
            if answer == "leave":
                return False
            if answer == "save":
                return await self._save(path, before, after)
        return False

    async def _judge(self, draft: str, path: str, before: str, after: str) -> str:
        """Check, then show mistakes or the difference; "save", "again" or "leave"."""
        from supervisor.config.draft import problems_of_text  # pydantic, loaded by the first edit alone

        mistakes = await asyncio.to_thread(problems_of_text, draft, path)
        leave = ("n", "leave; the text is kept in a file", "leave")
        if mistakes:
            title = f"{os.path.basename(path)} would not load"
            lines = [*edits.mistake_lines(mistakes), (), *edits.diff_lines(before, after)]
            review = Review(title, lines, [_AGAIN, leave], is_fault=True)
        else:
            answers = [("y", "save", "save"), _AGAIN, leave]
            notes = [f"{path}: supd reads it as soon as it is saved"]
            review = Review(f"Save {os.path.basename(path)}?", edits.diff_lines(before, after), answers, notes)
        return await self._host.ask(review) or "leave"

    async def _save(self, path: str, before: str, after: str) -> bool:
        """Put it in place and tell what supd made of it; False when it could not be written."""
        from supervisor.config.draft import put_in_place

        if await asyncio.to_thread(_read, path) != before:
            answers = [("y", "save mine", "save"), ("n", "leave; the text is kept in a file", "leave")]
            theirs = edits.diff_lines(before, await asyncio.to_thread(_read, path))
            if await self._host.ask(Review(f"{os.path.basename(path)} was changed by somebody else meanwhile", theirs, answers)) != "save":
                return False
        heard: asyncio.Queue[Json] = asyncio.Queue()
        leave = self._host.session.listen(heard.put_nowait)
        try:
            await asyncio.to_thread(put_in_place, path, after)
            await self._tell(path, heard)
        except OSError as error:
            self.complain(f"{path} cannot be written: {error.strerror}")
            return False
        finally:
            leave()
        return True

    async def _tell(self, path: str, heard: "asyncio.Queue[Json]") -> None:
        """What supd makes of the saved file; where it leaves the unit alone, the plan, to be applied."""
        told = await _first(heard, lambda event: event["kind"] in _KINDS_OF_ANSWERS and event.get("unit") in (self._unit, ""))
        if told is not None and told["kind"] == "unit-files":
            self._host.notify(str(told.get("text")), title=f"saved {path}", severity="warning", timeout=_TOAST_S, markup=False)
            return
        if told is not None and told.get("action") not in LEFT_ALONE:
            self._host.notify(f"{self._unit}: {told.get('text')}", title=f"saved {path}", timeout=_TOAST_S, markup=False)
            return
        plan = await self._host.transport.plan([self._unit])
        lines = edits.plan_lines(plan["units"])
        if not plan["units"]:
            self._host.notify("nothing that runs is changed by it", title=f"saved {path}", timeout=_TOAST_S, markup=False)
            return
        notes = [f"= supctl apply {shlex.quote(self._unit)}"]
        answers = [("y", "apply now", "apply"), ("n", "later", "later")]
        if await self._host.ask(Review(f"Saved. Apply it to {self._unit}?", lines, answers, notes)) != "apply":
            return
        done = await self._host.transport.apply([self._unit])
        self._host.notify(notes[0], title=f"applied to {', '.join(done['units']) or self._unit}", timeout=_TOAST_S, markup=False)

    def _keep(self, draft: str, before: str) -> None:
        """A text that was written and not saved goes to a file that stays."""
        try:
            text = _read(draft)
        except OSError:
            return
        if text == before:
            return
        descriptor, path = tempfile.mkstemp(prefix=f"{os.path.basename(draft)}.", suffix=".draft")
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
        self._host.notify(f"what you wrote is kept in {path}", title="not saved", severity="warning", timeout=_TOAST_S, markup=False)

    async def _run_editor(self, draft: str) -> bool:
        """Give the terminal to the editor until it ends; whether it ended well."""
        try:
            words = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
            status = await run_in_terminal(self._app, *words, draft)
        except SuspendNotSupported:
            self.complain("there is no terminal to run an editor in")
            return False
        except (OSError, ValueError) as error:
            self.complain(f"the editor does not start: {error}; $VISUAL or $EDITOR names it")
            return False
        if status != 0:
            self.complain(f"the editor ended with status {status}")
        return status == 0


async def _first(heard: "asyncio.Queue[Json]", is_it: Callable[[Json], bool]) -> Json | None:
    """The first event of this kind, None when there is none in time."""
    try:
        async with asyncio.timeout(_HEARD_WITHIN_S):
            while not is_it(event := await heard.get()):
                pass
            return event
    except TimeoutError:
        return None


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read()


def _write(path: str, text: str) -> None:
    with open(path, "x", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)
