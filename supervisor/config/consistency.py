"""What only the whole set of units can get wrong: unknown units, masked requirements, conflicts, cycles of order.

Decides what is an error and what a warning. An error is what could never work: a requirement that does not exist, two enabled units that
conflict, an order that goes round in a circle among what starts at boot. What systemd allows on purpose (a wish for, or an order after, a
unit that is not there) is a warning. It never changes a unit.
"""

from collections.abc import Callable, Collection

from supervisor.config.problems import Problem, did_you_mean
from supervisor.model.names import template_of
from supervisor.model.specification import Dependencies, Unit

Where = Callable[[str, str, str], tuple[str, int, str]]  # (unit, kind of dependency, unit named) to file, line and key

REQUIRING = ("requires", "requisite", "binds_to")
MUST_EXIST = (*REQUIRING, "on_failure", "on_success")
PULLING = ("requires", "binds_to", "wants", "upholds")


def targets(dependencies: Dependencies) -> dict[str, tuple[str, ...]]:
    """Every kind of dependency with the units it names."""
    return {
        "requires": dependencies.requires,
        "requisite": dependencies.requisite,
        "binds_to": dependencies.binds_to,
        "wants": dependencies.wants,
        "upholds": dependencies.upholds,
        "after": dependencies.after,
        "before": dependencies.before,
        "part_of": dependencies.part_of,
        "conflicts": dependencies.conflicts,
        "propagates_reload_to": dependencies.propagates_reload_to,
        "propagates_stop_to": dependencies.propagates_stop_to,
        "on_failure": dependencies.on_failure,
        "on_success": dependencies.on_success,
        "required_by": dependencies.required_by,
        "wanted_by": dependencies.wanted_by,
    }


def log_targets(unit: Unit) -> dict[str, str]:
    """The keys that send output to another unit's log, with its name."""
    if unit.execution is None:
        return {}
    said = {"standard_output": unit.execution.standard_output, "standard_error": unit.execution.standard_error}
    return {key: text.removeprefix("unit:") for key, text in said.items() if text.startswith("unit:")}


def check(units: dict[str, Unit], masked_by_hand: frozenset[str], where: Where) -> tuple[list[Problem], list[Problem]]:
    """(errors, warnings) of the set. `masked_by_hand`: masked with `supctl mask`, which must not make a set invalid."""
    errors: list[Problem] = []
    warnings: list[Problem] = []
    for unit in units.values():
        if not unit.is_unusable:
            _references(unit, units, masked_by_hand, where, errors, warnings)
    errors += _conflicts(units, where)
    errors += _cycles(units, where)
    return errors, warnings


def _references(
    unit: Unit, units: dict[str, Unit], masked_by_hand: frozenset[str], where: Where, errors: list[Problem], warnings: list[Problem]
) -> None:
    for key, name in log_targets(unit).items():
        if name not in units:
            errors.append(_problem(unit.id, key, name, where, f'there is no unit "{name}"', did_you_mean(name, sorted(units))))
    for kind, named in targets(unit.dependencies).items():
        for name in named:
            other = units.get(name)
            if other is None and kind == "after" and name in unit.dependencies.requires:
                continue  # said once, where it is required
            if other is None:
                is_error = kind in MUST_EXIST
                text = f'there is no unit "{name}"' + ("" if is_error else ", so this has no effect")
                (errors if is_error else warnings).append(_problem(unit.id, kind, name, where, text, did_you_mean(name, sorted(units))))
            elif other.is_masked and kind in REQUIRING:
                by_hand = name in masked_by_hand
                hint = f"supctl unmask {name}" if by_hand else f"its file {other.fragment_path} is a link to /dev/null"
                text = f'"{name}" is masked, so {unit.id} cannot start'
                (warnings if by_hand else errors).append(_problem(unit.id, kind, name, where, text, hint))


def unknown_in(unit: str, said: Dependencies, units: dict[str, Unit], templates: Collection[str], where: Where) -> list[Problem]:
    """The unknown units that a unit with other errors must have: all errors are told at once.

    An instance that only such a unit names is not made, so that there is a template for it is enough.
    """
    return [
        _problem(unit, kind, name, where, f'there is no unit "{name}"', did_you_mean(name, sorted(units)))
        for kind, named in targets(said).items()
        for name in named
        if kind in MUST_EXIST and name not in units and template_of(name) not in templates
    ]


def _problem(unit: str, kind: str, name: str, where: Where, text: str, hint: str = "") -> Problem:
    file, line, key = where(unit, kind, name)
    return Problem(file, line, key, text, hint)


def _conflicts(units: dict[str, Unit], where: Where) -> list[Problem]:
    found: dict[frozenset[str], Problem] = {}
    for unit in units.values():
        for name in unit.dependencies.conflicts:
            other = units.get(name)
            if other is None or not (_starts_at_boot(unit) and _starts_at_boot(other)):
                continue
            text = f"{unit.id} and {name} conflict, and both are enabled: starting one would stop the other"
            problem = _problem(unit.id, "conflicts", name, where, text, "set enabled = false for one of them")
            found.setdefault(frozenset((unit.id, name)), problem)
    return list(found.values())


def _starts_at_boot(unit: Unit) -> bool:
    return unit.is_enabled and not unit.is_unusable


def boot_set(units: dict[str, Unit]) -> set[str]:
    """The enabled units and everything their start pulls in."""
    pulled_by: dict[str, list[str]] = {}
    for unit in units.values():
        if not unit.is_unusable:
            for name in (*unit.dependencies.required_by, *unit.dependencies.wanted_by):
                pulled_by.setdefault(name, []).append(unit.id)
    found: set[str] = set()
    waiting = [unit.id for unit in units.values() if _starts_at_boot(unit)]
    while waiting:
        name = waiting.pop()
        if name in found or name not in units or units[name].is_unusable:
            continue
        found.add(name)
        named = targets(units[name].dependencies)
        waiting += [other for kind in PULLING for other in named[kind]]
        waiting += pulled_by.get(name, [])
    return found


def _cycles(units: dict[str, Unit], where: Where) -> list[Problem]:
    """One error for each knot of units that wait for each other at boot, with one circle through it named in full."""
    members = boot_set(units)
    after: dict[str, list[tuple[str, str, str]]] = {name: [] for name in members}  # to (other, unit that says so, kind)
    for name in sorted(members):
        for other in units[name].dependencies.after:
            if other in members:
                after[name].append((other, name, "after"))
        for other in units[name].dependencies.before:
            if other in members:
                after[other].append((name, name, "before"))
    problems = []
    for knot in _knots({name: [other for other, _, _ in edges] for name, edges in after.items()}):
        circle = _circle(knot, after)
        names = [name for name, _, _ in circle]
        text = f"the order goes round in a circle: {' after '.join([*names, names[0]])}"
        following = [*names[1:], names[0]]
        places = [
            where(said_by, kind, other if said_by == name else name) for (name, said_by, kind), other in zip(circle, following, strict=True)
        ]
        spots = dict.fromkeys(f"{file.rpartition('/')[2]}:{line}" for file, line, _ in places)
        problems.append(Problem(*places[0], text, f"said in {', '.join(spots)}"))
    return problems


def _knots(edges: dict[str, list[str]]) -> list[set[str]]:
    """Strongly connected components of more than one unit (Tarjan's algorithm, without recursion)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    found: list[set[str]] = []
    for root in sorted(edges):
        if root in index:
            continue
        work = [(root, iter(edges[root]))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            name, rest = work[-1]
            descended = False
            for other in rest:
                if other not in index:
                    index[other] = low[other] = len(index)
                    stack.append(other)
                    on_stack.add(other)
                    work.append((other, iter(edges[other])))
                    descended = True
                    break
                if other in on_stack:
                    low[name] = min(low[name], index[other])
            if descended:
                continue
            work.pop()
            if work:
                low[work[-1][0]] = min(low[work[-1][0]], low[name])
            if low[name] == index[name]:
                component: set[str] = set()
                while name not in component:
                    other = stack.pop()
                    on_stack.discard(other)
                    component.add(other)
                if len(component) > 1:
                    found.append(component)
    return found


def _circle(knot: set[str], after: dict[str, list[tuple[str, str, str]]]) -> list[tuple[str, str, str]]:
    """The shortest way from the first unit of a knot back to itself: each unit with who says that it is after the next, and how."""
    start = min(knot)
    came_from: dict[str, tuple[str, str, str]] = {}
    waiting = [start]
    for name in waiting:
        for other, said_by, kind in sorted(after[name]):
            if other not in knot or other in came_from:
                continue
            came_from[other] = (name, said_by, kind)
            if other == start:
                circle = [came_from[start]]
                while circle[0][0] != start:
                    circle.insert(0, came_from[circle[0][0]])
                return circle
            waiting.append(other)
    raise AssertionError("a knot has a circle through each of its units")
