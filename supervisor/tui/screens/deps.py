"""The view of dependencies of one unit: what it needs, who needs it, in what order it all starts, and what held its start up.

Arrows to the left and right go from one to the next. Enter takes the unit under the cursor as the new root, Backspace goes back.
"""

from collections.abc import Sequence

from textual import events
from textual.binding import Binding

from supervisor.tui.link.protocol import LinkLost, Refused, Relations
from supervisor.tui.model import deps
from supervisor.tui.model.format import count, moment, precise_span
from supervisor.tui.model.rows import Cell, Column, Row, cell
from supervisor.tui.model.states import state_text
from supervisor.tui.model.units import EVERYTHING, Changes
from supervisor.tui.screens.listview import ListScreen
from supervisor.tui.widgets.bar import Piece
from supervisor.tui.widgets.host import host_of

WAYS = ("needs", "needed by", "start order", "critical path")


class DepsScreen(ListScreen):
    """Relations are the session's, which fetches them again when unit files change."""

    NAME = "deps"
    COLUMNS = (
        Column("UNIT", 72, least=24),
        Column("STATE", 14),
        Column("RELATION", 14, rank=2),
        Column("NOTE", 0, rank=1),
    )
    BINDINGS = [
        Binding("right", "way(1)", "next way", key_display="→", id="deps.next"),
        Binding("left", "way(-1)", "way before", key_display="←", show=False, id="deps.before"),
        Binding("backspace", "back", "back", show=False, id="deps.back"),
    ]

    def on_mount(self) -> None:
        super().on_mount()
        self._way = 0
        self._root: str | None = None
        self._earlier: list[str] = []
        self._relations: dict[str, Relations] | None = None
        self._edition = 0
        self._is_asking = False
        self._trouble = ""

    def on_screen_resume(self, event: events.ScreenResume) -> None:
        chosen = host_of(self).selected_unit
        if chosen != self._root:
            self._root, self._earlier = chosen, []
        super().on_screen_resume(event)

    def root(self, unit: str | None) -> None:
        """Show this unit's dependencies from now on."""
        self._root = unit
        self._edition += 1
        self.flush(EVERYTHING)
        self.listed.action_top()

    def flush_view(self, changes: Changes) -> None:
        if changes:
            self._edition += 1
        if (changes or self._relations is None) and not self._is_asking and host_of(self).link.phase == "live":
            self._is_asking = True
            self.run_worker(self._ask(), group="deps")
        super().flush_view(changes)

    async def _ask(self) -> None:
        try:
            found = await host_of(self).session.relations()
            if found is not self._relations:
                self._relations, self._trouble = found, ""
                self._edition += 1
                host_of(self).request_flush()
        except Refused as refused:
            self._trouble = refused.text
        except LinkLost:
            pass  # asked again once the connection is back
        finally:
            self._is_asking = False

    def rows_version(self) -> object:
        return (self._edition, self._way, self._root)

    def empty_text(self) -> str:
        if self._trouble:
            return self._trouble
        return "no unit is chosen" if self._root is None else "asking …"

    def view_status(self) -> Sequence[Piece]:
        pieces = [Piece(self._root or "", "strong", is_right=True)]
        for number, way in enumerate(WAYS):
            style = "title" if number == self._way else "dim"
            pieces.append(Piece(way, style, rank=0 if number == self._way else 2, is_right=True, action=f"screen.take_way({number})"))
        return pieces

    # Rows.

    def make_rows(self) -> Sequence[Row]:
        if self._root is None or self._relations is None:
            return ()
        host = host_of(self)
        blocks = deps.blocked_by(unit.brief for unit in host.store)
        if self._way == 2:
            return self._steps(self._root, self._relations)
        if self._way == 3:
            return self._path(self._root, self._relations)
        tree = deps.needs if self._way == 0 else deps.needed_by
        rows: list[Row] = []
        seen: dict[str, int] = {}
        for line in tree(self._root, self._relations, self._rank):
            seen[line.unit] = seen.get(line.unit, 0) + 1
            note = line.note
            if not note and (blocked := blocks.get(line.unit)):
                note = f"◀ blocks {count(blocked)} unit{'s' if blocked > 1 else ''}"
            rows.append(self._row(f"{line.unit}#{seen[line.unit]}", line.unit, line.lead, line.kind.replace("_", " "), note))
        return rows

    def _rank(self, unit: str) -> int:
        known = host_of(self).store.get(unit)
        return -1 if known is None else known.look.rank

    def _steps(self, root: str, relations: dict[str, Relations]) -> list[Row]:
        rows = []
        for number, step in enumerate(deps.start_order(root, relations), start=1):
            for unit in step:
                after = [other for other in relations.get(unit, {}).get("after", []) if other in host_of(self).store]
                note = "after " + " ".join(after) if number > 1 and after else ""
                rows.append(self._row(unit, unit, f"{number:>3} ", f"step {number}", note))
        return rows

    def _path(self, root: str, relations: dict[str, Relations]) -> list[Row]:
        host = host_of(self)
        now_s = host.seen_time_s
        rows = []
        for depth, link in enumerate(deps.critical_path(root, relations, self._brief)):
            lead = "" if depth == 0 else "  " * (depth - 1) + "└─"
            if link.waits:
                note = "waits for the next one"
            elif link.up_time_s is not None:
                note = f"up at {moment(link.up_time_s, now_s)}, its start took {precise_span(link.took_s)}"
            else:
                note = "what the others wait for" if depth else "it is not up, and waits for nobody"
            rows.append(self._row(link.unit, link.unit, lead, "" if depth == 0 else "after", note))
        return rows

    def _brief(self, unit: str) -> dict[str, object] | None:
        known = host_of(self).store.get(unit)
        return None if known is None else known.brief

    def _row(self, key: str, unit: str, lead: str, kind: str, note: str) -> Row:
        host = host_of(self)
        known = host.store.get(unit)
        if known is None:
            cells = (
                Cell(unit or note, "dim", lead),
                Cell("not loaded" if unit else "", "dim"),
                cell(kind, "dim"),
                cell(note if unit else ""),
            )
            return Row(key, cells, unit=unit)
        look = known.look
        symbol = "?" if host.store.is_stale else look.ascii if host.ascii else look.symbol
        return Row(
            key,
            (
                Cell(f"{symbol} {unit}", look.style, lead),
                cell(state_text(look, known.brief, host.seen_time_s), look.style),
                cell(kind, "dim"),
                cell(note, "warning" if note.startswith("◀") else "dim"),
            ),
            unit=unit,
        )

    # Keys.

    def action_way(self, step: int) -> None:
        self.action_take_way((self._way + step) % len(WAYS))

    def action_take_way(self, number: int) -> None:
        self._way = number
        self.flush(EVERYTHING)
        self.listed.action_top()

    def action_open(self) -> None:
        unit = self.title_unit()
        if unit is not None and unit != self._root and self._root is not None:
            self._earlier.append(self._root)
            self.root(unit)

    def action_back(self) -> None:
        if self._earlier:
            self.root(self._earlier.pop())
