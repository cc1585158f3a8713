"""list and tree: many units at once."""

import time

from supervisor.cli.screen import ago, moment, table
from supervisor.cli.session import OK, Session
from supervisor.client.errors import ApiError
from supervisor.client.relations import BACKWARD, FORWARD
from supervisor.client.terminal import neutralise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Json = dict[str, Any]


def list_units(session: Session) -> int:
    if session.arguments.has("watch"):
        from supervisor.cli.watching import show_again

        return show_again(session, lambda: _show_table(session, moment))
    return _show_table(session, lambda time_s: ago(time_s, time.time()))


def _show_table(session: Session, tell: "Callable[[float], str]") -> int:
    """Print the units that were asked for; `tell` words the time since when a unit is in its state."""
    units = session.client.units(session.arguments.operands, session.arguments.many("state"))
    if session.arguments.is_json:
        session.print_json(units)
        return OK
    out = session.out
    if not units:
        out.write("No units match." if session.arguments.operands or session.arguments.many("state") else "No units are loaded.")
        return OK
    lines = table(("UNIT", "STATE", "SUB", "PID", "RESTARTS", "SINCE", "DESCRIPTION"), [_row(unit, tell) for unit in units], right=(3, 4))
    out.write(out.paint("  " + out.cut(lines[0]), "bold"))
    for unit, line in zip(units, lines[1:], strict=True):
        out.write(f"{out.symbol(unit['active_state'], unit['load_state'])} {out.cut(line)}")
    return OK


def _row(unit: "Json", tell: "Callable[[float], str]") -> tuple[str, ...]:
    is_up = unit["active_state"] in ("active", "reloading")
    since_s = unit.get("active_enter_time_s") if is_up else unit.get("inactive_enter_time_s")
    state = unit["active_state"] if unit["load_state"] == "loaded" else unit["load_state"]
    return (
        str(unit["id"]),
        str(state),
        str(unit["sub_state"]),
        str(unit["main_pid"] or "-"),
        str(unit["n_restarts"]),
        tell(since_s) if since_s else "-",
        neutralise(str(unit["description"])),
    )


def tree(session: Session) -> int:
    """Dependencies below the named units; without one, below those that nothing else pulls in (or with --reverse, that pull in nothing)."""
    states = {str(unit["id"]): unit for unit in session.client.units()}
    kinds, opposite = (BACKWARD, FORWARD) if session.arguments.has("reverse") else (FORWARD, BACKWARD)
    walk = _Walk(session, states, kinds)
    roots = session.names() if session.arguments.operands else [name for name in states if not walk.neighbours(name, opposite)]
    status, trees = OK, []
    for name in roots:
        try:
            trees.append(walk.node(name, ()))
        except ApiError as error:
            status = session.unknown(error)
    if session.arguments.is_json:
        session.print_json(trees)
    else:
        for node in trees:
            walk.draw(node, "", "")
    return status


class _Walk:
    """Follows one set of dependency kinds; asks supd for the relations of each unit once."""

    def __init__(self, session: Session, states: "dict[str, Json]", kinds: tuple[str, ...]) -> None:
        self._session = session
        self._states = states
        self._kinds = kinds
        self._relations: dict[str, dict[str, list[str]]] = {}

    def neighbours(self, name: str, kinds: tuple[str, ...]) -> dict[str, str]:
        """The units one step away, each with the kind of the first dependency that leads there."""
        if name not in self._relations:
            self._relations[name] = self._session.client.relations(name)
        found: dict[str, str] = {}
        for kind in kinds:
            for other in self._relations[name].get(kind, []):
                found.setdefault(other, kind)
        return found

    def node(self, name: str, above: tuple[str, ...], kind: str = "") -> "Json":
        """The unit with everything below it. A unit that stands above itself is shown once more, without what is below."""
        unit = self._states.get(name) or {"active_state": "inactive", "sub_state": "dead", "load_state": "not-found"}
        below = {} if name in above else self.neighbours(name, self._kinds) if name in self._states or not above else {}
        children = [self.node(other, (*above, name), why) for other, why in below.items()]
        node = {"id": name, "kind": kind, "active_state": unit["active_state"], "sub_state": unit["sub_state"], "dependencies": children}
        return {**node, "load_state": unit["load_state"]}

    def draw(self, node: "Json", lead: str, below: str) -> None:
        out = self._session.out
        kind = f"  {out.paint(node['kind'], 'grey')}" if node["kind"] else ""
        state = "not-found" if node["load_state"] == "not-found" else out.state(node["active_state"], node["sub_state"])
        out.write(f"{lead}{out.symbol(node['active_state'], node['load_state'])} {node['id']}  {state}{kind}")
        for index, child in enumerate(node["dependencies"]):
            is_last = index == len(node["dependencies"]) - 1
            self.draw(child, below + ("└─ " if is_last else "├─ "), below + ("   " if is_last else "│  "))


RUN = {"list": list_units, "tree": tree}
