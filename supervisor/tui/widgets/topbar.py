"""What the top line and the banner say, as pieces: host, connection, totals, CPU, memory, the time; and what is wrong with the link."""

import os
import time

from supervisor.tui.model import linkstate
from supervisor.tui.model.figures import sparkline
from supervisor.tui.model.format import count, one_line, short_size, short_span
from supervisor.tui.model.linkstate import LinkState
from supervisor.tui.model.states import GROUPS
from supervisor.tui.widgets.bar import Piece
from supervisor.tui.widgets.host import Host

_SPARK_CELLS = 8
_TOLD_S = 20.0  # how long the end of an outage is told
_WORDS = {"running": "run", "starting": "start", "stopping": "stop", "reloading": "reload", "waiting": "wait", "timer": "timed"}
_RANKS = {"failed": 0, "running": 1, "retry": 1, "unhealthy": 1, "timer": 6, "done": 6, "off": 6, "masked": 6}
_ALWAYS = ("running", "failed")


def top_pieces(host: Host) -> list[Piece]:
    """The first line, left to right as in a sentence; what matters least goes first when room is scarce, words before numbers."""
    pieces = [Piece("supd ▸ ", "dim", rank=6), Piece(host.label, "title", glued=True), link_piece(host)]
    for group, look in GROUPS.items():
        number = host.store.counts[group]
        if not number and group not in _ALWAYS:
            continue
        symbol = look.ascii if host.ascii else look.symbol
        style, action = look.style if number else "dim", f"app.only_group('{group}')"
        pieces.append(Piece(f"{symbol} {count(number)}", style, rank=_RANKS.get(group, 2), action=action))
        pieces.append(Piece(f" {_WORDS.get(group, group)}", style, rank=9 if style == "dim" else 8, action=action, glued=True))
    cores = os.cpu_count() or 1
    line = sparkline(host.figures.total_cpu.last(_SPARK_CELLS), _SPARK_CELLS, 100.0 * cores, host.ascii)
    pieces.append(Piece("cpu ", "dim", rank=3, is_right=True))
    pieces.append(Piece(f"{line} ", "accent", rank=7, is_right=True, glued=True))
    pieces.append(Piece(f"{host.figures.cpu_percent / 100:.1f}/{cores}", rank=3, is_right=True, glued=True))
    pieces.append(Piece("mem ", "dim", rank=4, is_right=True))
    pieces.append(Piece(short_size(host.figures.memory_bytes), rank=4, is_right=True, glued=True))
    pieces.append(Piece(time.strftime("%H:%M:%S", time.localtime(host.clock.time_s())), "dim", rank=5, is_right=True))
    return pieces


def link_piece(host: Host) -> Piece:
    """Symbol and word of the connection."""
    link = host.link
    if link.phase == linkstate.LIVE:
        trip = "" if link.round_trip_s is None else f" {max(1, round(link.round_trip_s * 1000))}ms"
        return Piece(f"●{trip}", "running", rank=2)
    if link.phase == linkstate.STALE:
        return Piece("◌ stale", "warning")
    if link.phase == linkstate.LOST:
        return Piece("✗ lost", "failed")
    return Piece("◌ connecting", "accent")


def access_piece(host: Host) -> Piece:
    """What the person may do here, at the end of the line of keys; said loudly only when it is less than everything."""
    if host.is_read_only:
        return Piece("read-only", "warning", is_right=True)
    access = str(host.session.status.get("access", ""))
    return Piece("view only" if access == "view" else access, "warning" if access == "view" else "dim", rank=3, is_right=True)


def banner_pieces(host: Host) -> list[Piece]:
    """What the banner says; nothing while all is well."""
    link, now_s = host.link, host.clock.monotonic_s()
    if link.phase == linkstate.LOST:
        return _lost(host, link, now_s)
    if link.phase == linkstate.STALE:
        return [
            Piece(f"◌ no word from {host.label} for {short_span(now_s - link.since_s)}", "warning"),
            Piece("the connection is open; what is shown may be old", rank=1),
        ]
    if link.phase == linkstate.LIVE and link.outage is not None and now_s - link.since_s < _TOLD_S:
        return _back(host, link)
    if link.phase == linkstate.LIVE:
        return _faults_of_files(host)
    return []


def _faults_of_files(host: Host) -> list[Piece]:
    """What supd says is wrong with the unit files, or with itself: the first of it, and how much more there is."""
    errors, notes = host.session.status.get("load_errors") or (), host.session.status.get("notes") or ()
    if errors:
        first = errors[0] if isinstance(errors[0], dict) else {"file": "", "message": str(errors[0])}
        place = os.path.basename(str(first.get("file", ""))) + (f":{first['line']}" if first.get("line") else "")
        what = f"{place}: {first.get('key', '')} {first.get('message', '')}".replace(":  ", ": ")
        more = f"  (+{len(errors) - 1} more)" if len(errors) > 1 else ""
        return [
            Piece("✗ the unit files have errors", "failed"),
            Piece(one_line(what) + more),  # cut rather than left out: it says what to mend
            Piece("the last good definitions stay", "dim", rank=1),
        ]
    if notes:
        more = f"  (+{len(notes) - 1} more)" if len(notes) > 1 else ""
        return [Piece(f"▲ {one_line(str(notes[0]))}{more}", "warning")]
    return []


def _lost(host: Host, link: LinkState, now_s: float) -> list[Piece]:
    heard = "" if link.heard_time_s is None else time.strftime("last data %H:%M:%S", time.localtime(link.heard_time_s))
    wait = "" if link.next_try_s is None else f"next try in {short_span(link.next_try_s - now_s)}"
    return [
        Piece(f"✗ connection to {host.label} lost {short_span(now_s - link.since_s)} ago", "failed"),
        Piece(heard, rank=2),
        Piece(wait, rank=1),
        Piece("ctrl+r tries now", "key", rank=1, action="app.resync"),
        Piece(link.reason, "dim", rank=3),
        Piece("what is shown stays readable, actions are off", rank=5),
    ]


def _back(host: Host, link: LinkState) -> list[Piece]:
    outage = link.outage
    assert outage is not None
    what = (
        f"{count(outage.recovered)} event{'' if outage.recovered == 1 else 's'} recovered, 0 lost"
        if outage.is_complete
        else "events may have been missed; everything was fetched anew"
    )
    who = "a new manager of supd answers" if outage.is_other_manager else f"{host.label} is back"
    return [Piece(f"● {who} after {outage.seconds:.1f} s", "running"), Piece(what, "" if outage.is_complete else "warning", rank=1)]
