"""The verdict: what supd kept (logs, run records) against what the children themselves recorded. Everything is read from disk."""

import itertools
import os
import sqlite3

from supervisor.client.logfile import open_segment, segments
from tests.system.survival.books import Books, Life
from tests.system.survival.witness import BATCH_LINES, line

LINE_BYTES = len(line("0" * 32, 0))
KILLED = ("killed", 9)


def judge(books: Books, state_directory: str, expected: dict[str, int], unseen: frozenset[str] = frozenset()) -> tuple[int, int]:
    """(lives, bytes) that were held to the books. `unseen` are ids of lives whose end nobody could see (the keeper was dead)."""
    total_lives = total_bytes = 0
    for name, count in expected.items():
        lives = books.lives(name)
        _lives_are_as_asked_for(name, lives, count)
        total_bytes += _log_is_whole(name, lives, os.path.join(state_directory, "logs", name))
        _records_are_true(name, lives, os.path.join(state_directory, "history.db"), unseen)
        total_lives += len(lives)
    return total_lives, total_bytes


def _lives_are_as_asked_for(name: str, lives: list[Life], count: int) -> None:
    assert len(lives) == count, f"{name} has lived {len(lives)} times and should have {count} times: {lives[-4:]}"
    for life, following in itertools.pairwise(lives):
        assert life.ended_ns <= following.began_ns, f"{name}: {following} began before {life} was over"
    assert not any(life.is_doubled for life in lives), f"{name} ran twice at once: {lives}"


def _log_is_whole(name: str, lives: list[Life], directory: str) -> int:
    """Every byte that was written is there once, in order. A life that was killed may have written one batch more than it noted."""
    data = b""
    for sequence in segments(directory) if os.path.isdir(directory) else []:
        with os.fdopen(open_segment(directory, sequence), "rb") as file:
            data += file.read()
    offset = 0
    for life in lives:
        lines = life.lines
        if life.end_status is None:
            while lines < life.lines + BATCH_LINES and data[offset + lines * LINE_BYTES :].startswith(line(life.invocation_id, lines)):
                lines += 1
        whole = b"".join([line(life.invocation_id, number) for number in range(lines)])
        found = data[offset : offset + len(whole)]
        if found != whole:
            at = next((index for index, (ours, theirs) in enumerate(zip(whole, found, strict=False)) if ours != theirs), len(found))
            raise AssertionError(
                f"the log of {name} differs in line {at // LINE_BYTES} of {lines} of {life}, at byte {offset + at} of {len(data)}: "
                f"{data[max(0, offset + at - LINE_BYTES) : offset + at + LINE_BYTES]!r}"
            )
        offset += len(whole)
    assert offset == len(data), f"the log of {name} has {len(data) - offset} bytes that nobody wrote: {data[offset : offset + 200]!r}"
    return offset


def _records_are_true(name: str, lives: list[Life], path: str, unseen: frozenset[str]) -> None:
    """One record of a run for each life, with its end as it was."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        rows = connection.execute(
            "SELECT run_id, code, status, result FROM runs WHERE unit = ? ORDER BY started_us, rowid", [name]
        ).fetchall()
    finally:
        connection.close()
    known, lived = {row[0] for row in rows}, {life.invocation_id for life in lives}
    assert [row[0] for row in rows] == [life.invocation_id for life in lives], (
        f"{len(rows)} run records of {name} and {len(lives)} lives; "
        f"records without a life: {[row for row in rows if row[0] not in lived]}; "
        f"lives without a record: {[life for life in lives if life.invocation_id not in known]}"
    )
    for (_, code, status, result), life in zip(rows, lives, strict=True):
        ended = ("exited", life.end_status) if life.end_status is not None else KILLED
        is_unseen = life.invocation_id in unseen and code == "unknown"
        assert (code, status) == ended or is_unseen, f"{name}: {life} is recorded as {code} {status} ({result})"
        assert result is not None, f"{name}: the record of {life} is not closed"
