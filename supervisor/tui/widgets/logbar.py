"""What the line above a log says: whose it is, followed or paused, what is filtered and searched, how much it is, how fast it comes."""

import time
from dataclasses import dataclass

from supervisor.tui.logs import levels
from supervisor.tui.logs.reader import LogReader
from supervisor.tui.model.format import count
from supervisor.tui.widgets.bar import Piece

_WIDE_CELLS = 120


@dataclass(frozen=True, slots=True)
class LogStatus:
    """What the pane knows beside its reader.

    `lines` in memory; `rate`: lines a second, None while unknown; `is_cut_off`: nothing is heard of supd, so nothing can come.
    """

    title: str
    lines: int = 0
    rate: float | None = None
    is_loading: bool = False
    is_at_begin: bool = False
    trouble: str = ""
    has_focus: bool = True
    is_cut_off: bool = False


def log_pieces(reader: LogReader, status: LogStatus, width: int) -> list[Piece]:
    """The pieces, what matters least with the highest rank."""
    is_wide = width >= _WIDE_CELLS
    wanted = reader.wanted
    pieces = [Piece("LOG", "title" if status.has_focus else "dim"), Piece(status.title, "strong" if status.has_focus else "", rank=1)]
    pieces.append(_state(reader, status.is_cut_off))
    if wanted.least_level:
        pieces.append(Piece(f"lvl ≥ {levels.NAMES[wanted.least_level]}", "accent", rank=2, action="level"))
    if wanted.since_us or wanted.until_us is not None:
        pieces.append(Piece(range_text(wanted.since_us, wanted.until_us), "accent", rank=2, action="range"))
    if wanted.include:
        pieces.append(Piece(f"&{wanted.include}", "accent", rank=2, action="ask('&')"))
    if wanted.exclude:
        pieces.append(Piece(f"\\{wanted.exclude}", "accent", rank=2, action="ask('\\\\\\\\')"))
    if not wanted.is_empty and not reader.hides:
        pieces.append(Piece("others dimmed", "dim", rank=4, action="hide"))
    if reader.search:
        rank, total, is_whole = reader.hit_count()
        more = "" if is_whole else "+"
        pieces.append(Piece(f"/{reader.search}  {count(rank)}/{count(total)}{more}", "warning", rank=2, action="ask('/')"))
    if reader.anchor is not None:
        pieces.append(Piece(f"{count(len(reader.selection()))} selected, y copies", "mark", rank=1))
    if status.trouble:
        pieces.append(Piece(status.trouble, "failed", rank=3))
    pieces += _amount(reader, status, is_wide)
    return pieces


def _state(reader: LogReader, is_cut_off: bool) -> Piece:
    if reader.view.follows:
        return Piece("◌ waits for supd", "warning", rank=1) if is_cut_off else Piece("● follow", "running", rank=1)
    fresh = reader.view.fresh
    text = f"❚❚ paused +{count(fresh)} new (f)" if fresh else "❚❚ paused (f)"
    return Piece(text, "warning", rank=0, action="follow")


def _amount(reader: LogReader, status: LogStatus, is_wide: bool) -> list[Piece]:
    lines, shown = status.lines, len(reader.view.index)
    pieces = []
    if status.is_loading:
        pieces.append(Piece("reading older…", "dim", rank=5, is_right=True))
    # "+": there is more behind these; how many is known to nobody who has not read it.
    more = "" if status.is_at_begin else "+"
    of = "" if reader.view.index.wanted.is_empty else f"{count(shown)} of "
    pieces.append(Piece(f"{of}{count(lines)}{more} {'line' if lines == 1 and not more else 'lines'}", "dim", rank=3, is_right=True))
    if status.rate is not None and status.rate >= 0.5:
        pieces.append(Piece(f"{count(round(status.rate))}/s", "dim", rank=5, is_right=True))
    if is_wide:
        pieces.append(Piece("wrap on" if reader.view.wraps else "wrap off", "dim", rank=6, is_right=True, action="wrap"))
    return pieces


def range_text(since_us: int, until_us: int | None) -> str:
    """A range of times in as few characters as tell it."""
    if until_us is None:
        return f"since {_clock(since_us)}"
    return f"{_clock(since_us) if since_us else 'begin'}–{_clock(until_us)}"


def _clock(time_us: int) -> str:
    return time.strftime("%m-%d %H:%M", time.localtime(time_us // 1_000_000))
