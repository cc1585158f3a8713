"""Everything about one unit as lines of text: what it is, why it is not as wanted, what it costs, what it needs, how it ran. Pure.

Nearest to the eye stands what is wrong: the state, then what is wrong with its definition, then why. A line is a list of cells; the
last cell of a line that is too long is wrapped below itself by whoever shows it.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from supervisor.client.reasons import digest, sentence
from supervisor.client.terminal import neutralise
from supervisor.tui.model.deps import Line as DepLine
from supervisor.tui.model.events import error_line
from supervisor.tui.model.figures import Usage, sparkline
from supervisor.tui.model.format import count, moment, one_line, percent, precise_span, short_ago, short_size, short_span
from supervisor.tui.model.rows import Cell, cell
from supervisor.tui.model.runs import cause, person, result_cell
from supervisor.tui.model.states import ended_text, state_text
from supervisor.tui.model.units import Unit
from supervisor.tui.model.wrap import BLANK, Line

Json = dict[str, Any]

_LABEL_CELLS = 10
_AS_WANTED = frozenset({"running", "done", "timer"})
_RUNS_SHOWN = 3
_RUN_CELLS_LEAST = 3  # when, how long, how it ended
_MARGIN_CELLS = 3


def is_as_wanted(unit: Unit) -> bool:
    """Whether nobody needs to ask why the unit is as it is."""
    brief = unit.brief
    if unit.is_fault or brief.get("job") or brief.get("load_state") not in ("loaded", "masked"):
        return False
    if unit.look.group in _AS_WANTED:
        return True
    return unit.look.group in ("off", "masked") and (brief.get("enabled") != "enabled" or brief.get("kind") == "task")


def head(unit: Unit, now_s: float, ascii: bool = False, is_stale: bool = False) -> Line:
    """The state in one line: symbol, word, how it ended, since when, how often it was started again."""
    brief, look = unit.brief, unit.look
    symbol = "?" if is_stale else look.ascii if ascii else look.symbol
    words = [Cell(f"{symbol} {state_text(look, brief, now_s)}", look.style)]
    if look.group in ("failed", "retry") and (ended := ended_text(brief)):
        words.append(_behind(ended))
    at_s = brief.get("active_enter_time_s") if brief.get("active_state") in ("active", "reloading") else brief.get("state_change_time_s")
    if at_s is not None:
        is_up = look.group in ("running", "unhealthy")
        words.append(_behind(f"for {short_span(now_s - at_s)}" if is_up else short_ago(now_s - at_s), "dim"))
    if number := brief.get("n_restarts"):
        words.append(_behind(f"{count(number)} {'restart' if number == 1 else 'restarts'}", "warning"))
    return words


def warnings(unit: Unit, load_errors: Iterable[Json]) -> list[Line]:
    """What is wrong with its definition, and what to do about it."""
    brief = unit.brief
    lines: list[Line] = []
    own = [error for error in load_errors if _is_of(error, unit.name)]
    lines += [(Cell("✗ ", "failed"), cell(error_line(error), "failed")) for error in own]
    if own:
        lines.append((Cell("  "), Cell("the last good definition stays in force; e edits the file", "dim")))
    elif brief.get("load_state") == "bad-setting":
        lines.append((Cell("✗ ", "failed"), Cell("its unit file has errors; e edits it", "failed")))
    if brief.get("rolled_back"):
        lines.append((Cell("↶ ", "warning"), cell(f"rolled back: {brief['rolled_back']}", "warning")))
    if brief.get("load_state") == "not-found":
        lines.append((Cell("! ", "warning"), Cell("its unit file is gone; it stays until it is stopped", "warning")))
    if brief.get("needs_restart"):
        lines.append((Cell("± ", "warning"), Cell("changed on disk: it runs by its old definition; r restarts it by the new", "warning")))
    if brief.get("load_state") == "masked":
        lines.append((Cell("⊘ ", "warning"), Cell("masked: it cannot be started until it is unmasked", "warning")))
    return lines


def _is_of(error: Json, unit: str) -> bool:
    file = str(error.get("file") or "")
    template = unit.partition("@")[0] + "@" if "@" in unit else unit
    return any(f"/{name}.toml" in f"/{file}" for name in (unit, template))


def why_lines(why: Json | None, now_s: float) -> list[Line]:
    """The reasons, nearest first, and what comes next."""
    if why is None:
        return []
    lines: list[Line] = []
    for reason, times in digest(why.get("because") or []):
        often = f" ({times} times)" if times > 1 else ""
        when = Cell(f"{moment(reason['time_s'], now_s)}  " if reason.get("time_s") else "", "dim")
        lines.append(_labelled("because" if not lines else "", when, cell(sentence(reason, str(why["unit"])) + often)))
    coming = why.get("next")
    if coming:
        in_time = f" in {short_span(max(0.0, coming['time_s'] - now_s))}" if coming.get("time_s") else ""
        lines.append(_labelled("next", cell(f"{coming['what']}{in_time}", "accent")))
    return lines


def cost(usage: Usage | None, full: Json | None, width: int, ascii: bool = False) -> list[Line]:
    """CPU and memory with their history, and what else is counted."""
    room = max(4, min(60, width - _LABEL_CELLS - 24))
    lines: list[Line] = []
    if usage is not None and (usage.cpu.last(1) or usage.memory.last(1)):
        cpu, memory = usage.cpu.last(room), usage.memory.last(room)
        lines.append(_labelled("cpu", Cell(sparkline(cpu, room, 100.0, ascii), "accent"), Cell(f" {percent(usage.cpu_percent)} %"),
                               Cell(f"  peak {percent(max(cpu, default=0.0))} %", "dim")))  # fmt: skip
        limit = (full or {}).get("memory_max_bytes")
        of = f" / limit {short_size(limit)}" if limit else ""
        lines.append(_labelled("memory", Cell(sparkline(memory, room, None, ascii), "accent"), Cell(f" {short_size(usage.memory_bytes)}"),
                               Cell(f"  peak {short_size(max(memory, default=0.0))}{of}", "dim")))  # fmt: skip
    if full is not None:
        processes = full.get("processes") or []
        if processes:
            names = " ".join(f"{process['pid']} {process['comm']}" for process in processes[:6])
            more = f" +{len(processes) - 6}" if len(processes) > 6 else ""
            lines.append(_labelled("processes", cell(f"{names}{more}")))
        if full.get("log_lost_bytes"):
            lines.append(_labelled("log", Cell(f"{short_size(full['log_lost_bytes'])} of output were lost", "warning")))
    return lines


def facts(unit: Unit, full: Json | None, now_s: float) -> list[Line]:
    """What it is: of what kind, enabled or not, by whose wish, from which file."""
    brief, known = unit.brief, full or {}
    kind = str(brief.get("kind", ""))
    if known.get("type"):
        kind += f", type {known['type']}, restart {known.get('restart')}"
    lines = [_labelled("what", cell(kind))]
    if brief.get("status_text"):
        lines.append(_labelled("says", cell(brief["status_text"])))
    enabled = str(brief.get("enabled") or "-")
    intent = known.get("intent")
    if intent:
        by = f" by {person(str(intent['by']))}" if intent.get("by") else ""
        lines.append(_labelled("wanted", cell(f"{intent['wanted']}{by}  {moment(intent.get('since_s'), now_s)}")))
    lines.append(_labelled("enabled", Cell(enabled, "" if enabled == "enabled" else "dim")))
    if brief.get("main_pid"):
        lines.append(_labelled("main pid", Cell(str(brief["main_pid"]))))
    if known.get("fragment_path"):
        drop_ins = "".join(f" + {path}" for path in known.get("drop_in_paths") or ())
        lines.append(_labelled("file", cell(f"{known['fragment_path']}{drop_ins}")))
    if known.get("documentation"):
        lines.append(_labelled("docs", cell(" ".join(known["documentation"]))))
    return lines


def run_lines(runs: Sequence[Json], now_s: float, width: int, most: int | None = None) -> list[Line]:
    """Runs, newest first, a line each; what does not fit is left out, the last first."""
    lines: list[Line] = []
    for run in list(reversed(runs))[:most]:
        is_over = run.get("ended_time_s") is not None
        ran_s = (run["ended_time_s"] if is_over else now_s) - run["started_time_s"]
        begun = Cell(f"{moment(run['started_time_s'], now_s):<13}")
        tries = _behind(f"try {run['attempt']}" if run["attempt"] > 1 else "", "warning")
        cells = [begun, Cell(f"{precise_span(ran_s):>6}  ", "dim"), result_cell(run), _behind(cause(run), "dim"), tries]
        while len(cells) > _RUN_CELLS_LEAST and sum(len(one.text) for one in cells) > width:
            cells.pop()
        lines.append(cells)
    return lines


def dep_lines(title: str, lines: Iterable[DepLine], unit_of: Any, now_s: float, ascii: bool = False) -> list[Line]:
    """A tree of dependencies below a title."""
    found: list[Line] = []
    for number, line in enumerate(lines):
        if number == 0:
            found.append((Cell(title, "title"),))
            continue
        known = unit_of(line.unit)
        if known is None:
            found.append((Cell(line.lead, "dim"), cell(line.unit, "dim"), Cell("  not loaded" if line.unit else line.note, "dim")))
            continue
        look = known.look
        name = cell(f"{look.ascii if ascii else look.symbol} {line.unit}", look.style)
        told = " ".join(word for word in (line.kind.replace("_", " "), line.note) if word)
        found.append((Cell(line.lead, "dim"), name, _behind(state_text(look, known.brief, now_s)), _behind(told, "dim")))
    if len(found) == 1:
        found.append((Cell("  nothing", "dim"),))
    return found


def config_lines(definition: Json) -> list[Line]:
    """The files that make the unit, as they are, with numbers of lines: those that errors name."""
    lines: list[Line] = []
    for file in definition["files"]:
        if lines:
            lines.append(BLANK)
        lines.append((cell(file["path"], "title"),))
        whole = str(file["text"])
        for number, text in enumerate(whole.removesuffix("\n").split("\n") if whole else (), start=1):
            shown = neutralise(text.expandtabs(4))
            style = "dim" if shown.lstrip().startswith("#") else "key" if shown.startswith("[") else ""
            lines.append((Cell(f"{number:>4} ", "dim"), Cell(shown, style)))
    return lines or [(Cell("no file makes this unit", "dim"),)]


def _labelled(label: str, *cells: Cell) -> Line:
    return (Cell(f"{label:<{_LABEL_CELLS}}", "dim"), *cells)


def _behind(text: str, style: str = "") -> Cell:
    """A cell of foreign text, two blanks behind the one before it; nothing for no text."""
    return Cell(f"  {one_line(text)}" if text else "", style)


def info_lines(
    unit: Unit, full: Json | None, why: Json | None, usage: Usage | None, runs: Sequence[Json], load_errors: Iterable[Json], now_s: float,
    width: int, ascii: bool = False, is_stale: bool = False,
) -> list[Line]:  # fmt: skip
    """The first tab, whole. What was not fetched yet is left out."""
    lines: list[Line] = [head(unit, now_s, ascii, is_stale), *warnings(unit, load_errors)]
    if not is_as_wanted(unit) and why is not None and (reasons := why_lines(why, now_s)):
        lines += [BLANK, *reasons]
    if costs := cost(usage, full, width, ascii):
        lines += [BLANK, *costs]
    lines += [BLANK, *facts(unit, full, now_s)]
    if runs:
        lines += [BLANK]
        shown = run_lines(runs, now_s, width - _LABEL_CELLS - _MARGIN_CELLS, _RUNS_SHOWN)
        lines += [_labelled("" if at else "runs", *line) for at, line in enumerate(shown)]
    return lines
