"""Segments: where they end, what their index says, which are kept. Any split of any bytes reads back the same."""

import gzip
import os
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.client import logindex
from supervisor.client.logfile import open_segment, segment_name, segments
from supervisor.client.logindex import ENTRY_BYTES, Entry, Index, unpack
from supervisor.client.logpages import last_texts, streams_of
from supervisor.daemon import rotation
from supervisor.daemon.logkeeping import LogKeeping
from supervisor.daemon.logs import LogPump
from supervisor.daemon.segments import Segment
from supervisor.model.specification import Log
from tests.system.logs.conftest import Pumping

A_RUN, ANOTHER_RUN = "a1" * 16, "b2" * 16

SPLITS = {
    "whole lines that fit go here": (b"a\nbc\n", 4, False, (2, True)),
    "a line that does not fit goes to the next segment": (b"abcdef\n", 4, False, (0, True)),
    "an open line is finished here, beyond the size": (b"abcdef\ng\n", 4, True, (7, True)),
    "an open line far beyond the size goes on here": (b"abcdef", 4, True, (6, False)),
    "an open line 1 MiB beyond the size is cut": (b"abcdef", 2 - rotation.OVERRUN_BYTES, True, (2, True)),
    "beyond the size at a line's end nothing more is taken": (b"a\n", 0, False, (0, True)),
}


@pytest.mark.parametrize(("waiting", "room", "is_in_line", "expected"), SPLITS.values(), ids=SPLITS.keys())
def test_where_a_segment_ends(waiting: bytes, room: int, is_in_line: bool, expected: tuple[int, bool]) -> None:
    assert rotation.split(waiting, room, is_in_line=is_in_line) == expected


def texts(directory: Path) -> list[bytes]:
    found = []
    for sequence in segments(str(directory)):
        with open(open_segment(str(directory), sequence), "rb") as file:
            found.append(file.read())
    return found


def entries(directory: Path, sequence: int) -> list[Entry]:
    raw = (directory / logindex.name_of(sequence)).read_bytes()
    found = [unpack(raw[start : start + ENTRY_BYTES]) for start in range(0, len(raw), ENTRY_BYTES)]
    return [entry for entry in found if entry is not None]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.one_of(st.binary(max_size=300), st.integers(1, 9000).map(lambda n: b"x" * n + b"\n")), max_size=12),
    st.integers(4096, 12_000),
)
def test_any_split_of_any_bytes_reads_back_the_same(pieces: list[bytes], size_bytes: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        pump = LogPump(directory)
        pump.configure("web", Log(max_size_bytes=size_bytes, keep=1000))
        fd = pump.open_pipe("web")
        for piece in pieces:
            os.write(fd, piece)
            pump.drain("web")
        pump.stop()
        found = texts(Path(directory) / "web")
        assert b"".join(found) == b"".join(pieces)
        assert all(text.endswith(b"\n") for text in found[:-1])
        longest = max([len(line) for line in b"".join(pieces).split(b"\n")], default=0)
        assert all(len(text) <= size_bytes + longest + 1 for text in found)
        for number, text in zip(segments(f"{directory}/web"), found, strict=True):
            offsets = [entry.offset for entry in entries(Path(directory) / "web", number)]
            assert offsets[0] == 0
            assert offsets == sorted(set(offsets))
            assert offsets[-1] < max(len(text), 1)


def test_a_flood_over_many_segments_is_whole_and_each_ends_with_a_line(pumping: Pumping) -> None:
    pumping.pump.configure("web", Log(max_size_bytes=64 * 1024, keep=1000))
    pumping.pump.start()
    writer = pumping.writer("web")
    expected = b"".join(b"%d line of the flood\n" % n for n in range(50_000))
    for start in range(0, len(expected), 5000):
        os.write(writer, expected[start : start + 5000])
    os.close(writer)
    pumping.pump.drain("web")
    found = texts(pumping.directory / "web")
    assert b"".join(found) == expected
    assert all(text.endswith(b"\n") and len(text) <= 64 * 1024 + 40 for text in found)
    assert os.readlink(pumping.directory / "web" / "current") == segment_name(len(found))


def test_a_line_without_end_is_cut_a_mebibyte_beyond_and_marked(pumping: Pumping) -> None:
    pumping.pump.configure("web", Log(max_size_bytes=4096, keep=1000))
    fd = pumping.pump.open_pipe("web")
    for _ in range(20):
        os.write(fd, b"x" * 60_000)
        pumping.pump.drain("web")
    found = texts(pumping.directory / "web")
    assert b"".join(found) == b"x" * 1_200_000
    assert len(found[0]) == 4096 + rotation.OVERRUN_BYTES
    assert [entries(pumping.directory / "web", n)[0].flags for n in (1, 2)] == [0, logindex.CONTINUES]


def test_a_segment_is_closed_at_its_age(pumping: Pumping) -> None:
    fd = pumping.pump.open_pipe("web")
    os.write(fd, b"old\n")
    pumping.pump.drain("web")
    pumping.pump.configure("web", Log(max_age_us=0))
    os.write(fd, b"new\n")
    pumping.pump.drain("web")
    assert texts(pumping.directory / "web") == [b"old\n", b"new\n"]


def test_the_index_names_the_run_that_wrote_and_when(pumping: Pumping) -> None:
    before_us = time.time_ns() // 1000
    fd = pumping.pump.open_pipe("web")
    for run, text in ((A_RUN, b"one\n"), (ANOTHER_RUN, b"two\n")):
        pumping.pump.begin_run("web", run)
        os.write(fd, text)
    pumping.pump.drain("web")
    found = entries(pumping.directory / "web", 1)
    assert [(entry.offset, entry.run.hex()) for entry in found] == [(0, A_RUN), (4, ANOTHER_RUN)]
    assert before_us <= found[0].time_us <= found[1].time_us <= time.time_ns() // 1000


def test_a_standard_error_that_is_kept_apart_has_segments_and_an_index_of_its_own(pumping: Pumping) -> None:
    pumping.pump.configure("web", Log(max_size_bytes=4096, keep=2))
    pumping.pump.start()
    out, err = pumping.pump.open_pipe("web"), pumping.pump.open_pipe("web/stderr")
    pumping.pump.begin_run("web", A_RUN)
    os.write(out, b"out\n")
    os.write(err, b"error\n")
    pumping.pump.drain("web")
    assert texts(pumping.directory / "web") == [b"out\n"]
    assert texts(pumping.directory / "web" / "stderr") == [b"error\n"]
    assert [(entry.run.hex(), entry.flags) for entry in entries(pumping.directory / "web" / "stderr", 1)] == [(A_RUN, logindex.STDERR)]
    assert last_texts(streams_of("web", str(pumping.directory / "web")), 9) == ["out", "error"]
    assert pumping.pump.place("web") == "1:4 1:6"
    for _ in range(6):
        os.write(err, b"y" * 3000 + b"\n")
        pumping.pump.drain("web")
    deadline_s = time.monotonic() + 20
    while len(segments(str(pumping.directory / "web" / "stderr"))) > 2:  # the caps of [log] hold for it too
        assert time.monotonic() < deadline_s
        os.sched_yield()
    assert segments(str(pumping.directory / "web")) == [1]


def test_a_new_manager_goes_on_with_the_run_of_the_index(pumping: Pumping) -> None:
    held = os.dup(pumping.pump.open_pipe("web"))
    pumping.pump.begin_run("web", A_RUN)
    os.write(held, b"one\n")
    pumping.pump.stop()
    pumping.pump = LogPump(str(pumping.directory))
    pumping.pump.adopt("web", held)
    os.truncate(pumping.directory / "web" / "00000001.log", 2)
    os.write(held, b"two\n")
    pumping.pump.drain("web")
    pumping.pump.configure("web", Log(max_age_us=0))
    os.write(held, b"three\n")
    pumping.pump.drain("web")
    assert [{entry.run.hex() for entry in entries(pumping.directory / "web", n)} for n in (1, 2)] == [{A_RUN}] * 2


def test_entries_of_bytes_that_somebody_cut_off_are_forgotten(tmp_path: Path) -> None:
    segment = Segment(str(tmp_path))
    for text in (b"aaaa", b"bbbb"):
        end = segment.end()
        segment.note(end, text * 4)
        os.pwrite(segment.fileno(), text, end)
    os.truncate(tmp_path / "00000001.log", 2)
    segment.note(segment.end(), b"cccc" * 4)
    segment.close()
    assert [(entry.offset, entry.run[:1]) for entry in entries(tmp_path, 1)] == [(0, b"a"), (2, b"c")]


def test_an_index_that_cannot_be_written_costs_no_line(pumping: Pumping) -> None:
    (pumping.directory / "web" / "00000001.idx").mkdir(parents=True)
    os.write(pumping.pump.open_pipe("web"), b"line\n")
    pumping.pump.drain("web")
    assert pumping.text("web") == b"line\n"
    assert pumping.pump.lost_bytes("web") == 0


def index_of(directory: Path, count: int) -> Index:
    (directory / "00000001.log").write_bytes(b"x" * 100)
    (directory / "00000001.idx").write_bytes(b"".join(Entry(n * 10, 1000 + n).pack() for n in range(count)))
    with open(directory / "00000001.log", "rb") as text:
        return Index(str(directory), 1, text.fileno())


def test_a_damaged_index_loses_its_damaged_entries_and_no_others(tmp_path: Path) -> None:
    index_of(tmp_path, 6).close()
    raw = bytearray((tmp_path / "00000001.idx").read_bytes())
    raw[2 * ENTRY_BYTES] ^= 1
    (tmp_path / "00000001.idx").write_bytes(bytes(raw[:-3]))
    with open(tmp_path / "00000001.log", "rb") as text:
        index = Index(str(tmp_path), 1, text.fileno())
        assert [entry.offset for entry in index.entries()] == [0, 10, 30, 40]
        assert index.at_offset(25).offset == 10
        index.close()


@given(st.integers(1, 10), st.integers(0, 120), st.integers(990, 1020))
def test_a_look_up_finds_the_last_entry_before(count: int, offset: int, time_us: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        index = index_of(Path(directory), count)
        assert index.at_offset(offset).offset == min(offset // 10, count - 1) * 10
        before = [n for n in range(count) if 1000 + n < time_us]
        assert index.at_time(time_us).offset == max(before, default=0) * 10
        index.close()


@given(st.binary(max_size=200))
def test_an_index_of_any_bytes_is_read_without_harm(raw: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "00000001.log").write_bytes(b"text\n")
        (Path(directory) / "00000001.idx").write_bytes(raw)
        with open(Path(directory) / "00000001.log", "rb") as text:
            index = Index(directory, 1, text.fileno())
            assert index.entries()[0].offset <= 5
            assert index.at_offset(3).time_us >= 0
            index.close()


def closed_segments(directory: Path, count: int) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for number in range(1, count + 1):
        path = directory / segment_name(number)
        path.write_bytes(b"%d\n" % number * 1000)
        (directory / logindex.name_of(number)).write_bytes(Entry(0, number).pack())
        os.utime(path, (number, number))


def test_so_many_segments_are_kept_with_their_indexes(tmp_path: Path) -> None:
    closed_segments(tmp_path / "web", 5)
    LogKeeping(str(tmp_path)).tidy(str(tmp_path / "web"), Log(keep=2))
    assert sorted(os.listdir(tmp_path / "web")) == ["00000004.idx", "00000004.log", "00000005.idx", "00000005.log"]


def test_closed_segments_are_compressed_and_read_as_before(tmp_path: Path) -> None:
    closed_segments(tmp_path / "web", 3)
    (tmp_path / "web" / "00000001.log.gz.new").write_bytes(b"left by a crash")
    LogKeeping(str(tmp_path)).tidy(str(tmp_path / "web"), Log(compress=True))
    assert [name for name in sorted(os.listdir(tmp_path / "web")) if "log" in name] == [
        "00000001.log.gz",
        "00000002.log.gz",
        "00000003.log",
    ]
    assert gzip.decompress((tmp_path / "web" / "00000001.log.gz").read_bytes()) == b"1\n" * 1000
    assert texts(tmp_path / "web") == [b"%d\n" % n * 1000 for n in (1, 2, 3)]


def test_all_logs_together_fit_and_the_newest_of_each_unit_stays(tmp_path: Path) -> None:
    for stream, count in (("db", 2), ("web", 4), ("web/stderr", 3)):
        closed_segments(tmp_path / stream, count)
    for capacity_bytes in (0, None):
        LogKeeping(str(tmp_path), capacity_bytes).limit()
        assert [segments(str(tmp_path / stream)) for stream in ("db", "web", "web/stderr")] == [[2], [4], [3]]


def test_a_rotation_is_followed_by_tidying_on_a_thread_of_its_own(pumping: Pumping) -> None:
    pumping.pump.configure("web", Log(max_size_bytes=4096, keep=2))
    fd = pumping.pump.open_pipe("web")
    for _ in range(8):
        os.write(fd, b"y" * 3000 + b"\n")
        pumping.pump.drain("web")
    deadline_s = time.monotonic() + 20
    while len(segments(str(pumping.directory / "web"))) > 2:
        assert time.monotonic() < deadline_s
        os.sched_yield()
    assert max(segments(str(pumping.directory / "web"))) == 8


def test_beyond_the_rate_limit_bytes_are_dropped_counted_and_told(pumping: Pumping) -> None:
    pumping.pump.configure("web", Log(rate_limit_interval_us=60_000_000, rate_limit_bytes=10))
    fd = pumping.pump.open_pipe("web")
    os.write(fd, b"0123456789tomorrow\n")
    pumping.pump.drain("web")
    assert (pumping.text("web"), pumping.pump.lost_bytes("web")) == (b"0123456789", 9)
    pumping.pump.configure("web", Log())
    os.write(fd, b"again\n")
    pumping.pump.drain("web")
    assert pumping.text("web") == (
        b"0123456789\n-- supd: 9 bytes of output are missing here; more than rate_limit_bytes = 10 were written in one interval --\nagain\n"
    )
