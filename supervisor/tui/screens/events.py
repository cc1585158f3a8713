"""The journal of supd: who did what, what failed and was started again, what changed on disk. Newest first; it follows at its top.

It listens from the moment it is first shown, and fetches what was before; after a gap it asks supd's history for what was missed.
"""

from collections.abc import Sequence

from textual.binding import Binding

from supervisor.tui.link.protocol import Json, LinkLost, Refused
from supervisor.tui.modals.menu import Choice, Menu
from supervisor.tui.model import events
from supervisor.tui.model.events import GROUPS, Journal
from supervisor.tui.model.format import count
from supervisor.tui.model.rows import Row
from supervisor.tui.model.units import EVERYTHING, Changes
from supervisor.tui.screens.listview import ListScreen
from supervisor.tui.widgets.bar import Piece
from supervisor.tui.widgets.host import host_of

PAST_EVENTS = 1000


class EventsScreen(ListScreen):
    """Groups of kinds and one unit narrow it; what is narrowed is said."""

    NAME = "events"
    COLUMNS = events.COLUMNS
    GROWS_AT_TOP = True
    BINDINGS = [
        Binding("f", "groups", "kinds", id="events.groups"),
        Binding("a", "all", "all units", id="events.all"),
        Binding("F", "follow", "newest", show=False, id="events.follow"),
    ]

    def on_mount(self) -> None:
        super().on_mount()
        self._journal = Journal()
        self._groups: frozenset[str] = frozenset()
        self._only: str | None = None
        self._is_filled = self._is_asking = False
        self._seen_top = 0  # how many events there were when the newest was last looked at
        self._leave = host_of(self).session.listen(self._heard)

    def on_unmount(self) -> None:
        self._leave()

    def _heard(self, event: Json) -> None:
        self._journal.add({"time_s": host_of(self).clock.time_s(), **event})
        if event["kind"] == "reset":
            self._is_filled = False
        host_of(self).request_flush()

    def flush_view(self, changes: Changes) -> None:
        if not self._is_filled and not self._is_asking and host_of(self).link.phase == "live":
            self._is_asking = True
            self.run_worker(self._fill(), group="events")
        super().flush_view(changes)
        if self.listed.follows:
            self._seen_top = self._journal.total

    async def _fill(self) -> None:
        try:
            self._journal.fill(await host_of(self).transport.past_events(PAST_EVENTS))
            self._is_filled = True
        except (LinkLost, Refused):
            pass  # asked again with the next flush of a live connection
        finally:
            self._is_asking = False
            host_of(self).request_flush()

    def rows_version(self) -> object:
        return self._journal.version

    def make_rows(self) -> Sequence[Row]:
        return self._journal.rows(self._groups, self._only, host_of(self).clock.time_s())

    def empty_text(self) -> str:
        if len(self._journal):
            return "no event is of these kinds; f chooses them"
        return "nothing has happened" if self._is_filled else "asking …"

    def view_status(self) -> Sequence[Piece]:
        pieces = []
        if not self.listed.follows:
            fresh = self._journal.total - self._seen_top
            words = f"❚❚ +{count(fresh)} new (F)" if fresh else "❚❚ paused (F)"
            pieces.append(Piece(words, "warning", is_right=True, action="screen.follow"))
        else:
            pieces.append(Piece("● follow", "running", is_right=True))
        if self._groups:
            pieces.append(Piece("only " + ",".join(sorted(self._groups)), "accent", is_right=True, action="screen.groups"))
        if self._only:
            pieces.append(Piece(f"of {self._only}", "accent", is_right=True, action="screen.all"))
        return pieces

    def action_follow(self) -> None:
        self.listed.action_top()
        self.flush(EVERYTHING)

    def action_all(self) -> None:
        """The events of the unit under the cursor alone, or all again."""
        self._only = None if self._only else self.title_unit()
        self.flush(EVERYTHING)

    def action_groups(self) -> None:
        self.run_worker(self._choose_groups(), group="menu", exclusive=True)

    async def _choose_groups(self) -> None:
        choices = [Choice(group, key, f"{group:<8}", what) for group, (key, what, _) in GROUPS.items()]
        answer = await host_of(self).ask(Menu("Show only", choices, is_multiple=True, chosen=tuple(self._groups)))
        if answer is not None:
            self._groups = frozenset(answer)
            self.flush(EVERYTHING)
