"""From pipe to file: every byte, in order, whatever happens to the file, and never at the child's expense."""

import errno
import os
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.client.logpages import last_texts, streams_of
from supervisor.daemon.logs import LogPump
from supervisor.daemon.logstream import LogStream
from tests.system.logs.conftest import DEADLINE_S, Pumping


def test_what_a_unit_writes_is_in_its_current_segment(pumping: Pumping) -> None:
    pumping.pump.start()
    writer = pumping.writer("web")
    os.write(writer, b"first\n")
    pumping.until(lambda: pumping.text("web") == b"first\n")
    os.write(writer, b"second\n")
    pumping.until(lambda: pumping.text("web") == b"first\nsecond\n")
    os.close(writer)
    assert os.readlink(pumping.directory / "web" / "current") == "00000001.log"
    assert pumping.pump.notes() == []


def test_a_silent_unit_has_neither_directory_nor_file(pumping: Pumping) -> None:
    pumping.pump.start()
    pumping.pump.open_pipe("web")
    pumping.pump.drain("web")
    pumping.pump.mark("web")
    assert last_texts(streams_of("web", str(pumping.directory / "web")), 10) == []
    assert not (pumping.directory / "web").exists()


def test_the_log_is_not_for_everybody_to_read(pumping: Pumping) -> None:
    os.write(pumping.pump.open_pipe("web"), b"secret\n")
    pumping.pump.drain("web")
    assert stat.S_IMODE((pumping.directory / "web" / "00000001.log").stat().st_mode) & 0o007 == 0


def test_drain_moves_everything_that_was_written_before_it_without_the_thread(pumping: Pumping) -> None:
    writer = pumping.writer("web")
    os.write(writer, b"x" * 60_000)
    pumping.pump.drain("web")
    os.close(writer)
    assert pumping.text("web") == b"x" * 60_000


def test_drain_ends_while_a_process_writes_without_end(pumping: Pumping) -> None:
    pumping.pump.start()
    fd = pumping.pump.open_pipe("web")
    with open(f"/proc/self/fd/{fd}", "r+b", buffering=0) as pipe, subprocess.Popen(["/usr/bin/yes"], stdout=pipe) as process:
        pumping.until(lambda: len(pumping.text("web")) > 1_000_000)
        pumping.pump.drain("web")
        process.kill()


def test_many_megabytes_arrive_byte_for_byte(pumping: Pumping) -> None:
    pumping.pump.start()
    writer = pumping.writer("web")
    program = "import os\nfor n in range(200_000): os.write(1, b'%d line of the flood\\n' % n)"
    subprocess.run([sys.executable, "-I", "-S", "-c", program], stdout=writer, check=True, timeout=DEADLINE_S)
    os.close(writer)
    pumping.pump.drain("web")
    assert pumping.text("web") == b"".join(b"%d line of the flood\n" % n for n in range(200_000))


def test_ten_megabytes_without_a_newline_arrive(pumping: Pumping) -> None:
    pumping.pump.start()
    writer = pumping.writer("web")
    program = "import os\nfor _ in range(160): os.write(1, b'x' * 65536)"
    subprocess.run([sys.executable, "-I", "-S", "-c", program], stdout=writer, check=True, timeout=DEADLINE_S)
    os.close(writer)
    pumping.pump.drain("web")
    assert pumping.text("web") == b"x" * (160 * 65536)


def test_many_units_are_pumped_side_by_side(pumping: Pumping) -> None:
    pumping.pump.start()
    fds = {f"unit{n}": pumping.pump.open_pipe(f"unit{n}") for n in range(300)}
    for unit, fd in fds.items():
        os.write(fd, f"{unit} speaks\n".encode())
    pumping.until(lambda: all(pumping.text(unit) == f"{unit} speaks\n".encode() for unit in fds))


def test_a_file_that_was_cut_short_goes_on_at_its_new_end(pumping: Pumping) -> None:
    fd = pumping.pump.open_pipe("web")
    os.write(fd, b"a long line that will be cut\n")
    pumping.pump.drain("web")
    os.truncate(pumping.directory / "web" / "current", 0)
    os.write(fd, b"new\n")
    pumping.pump.drain("web")
    assert pumping.text("web") == b"new\n"


def test_a_file_that_was_removed_is_followed_by_the_next_segment(pumping: Pumping) -> None:
    fd = pumping.pump.open_pipe("web")
    os.write(fd, b"old\n")
    pumping.pump.drain("web")
    (pumping.directory / "web" / "00000001.log").unlink()
    os.write(fd, b"new\n")
    pumping.pump.drain("web")
    assert (pumping.directory / "web" / "00000002.log").read_bytes() == b"new\n"
    assert pumping.text("web") == b"new\n"


def test_a_new_supd_goes_on_in_the_newest_segment(pumping: Pumping) -> None:
    directory = pumping.directory / "web"
    directory.mkdir(parents=True)
    (directory / "00000001.log").write_bytes(b"oldest\n")
    (directory / "00000007.log").write_bytes(b"before\n")
    (directory / "current").symlink_to("00000001.log")
    os.write(pumping.pump.open_pipe("web"), b"after\n")
    pumping.pump.drain("web")
    assert (directory / "00000007.log").read_bytes() == b"before\nafter\n"
    assert pumping.text("web") == b"before\nafter\n"


def test_a_pipe_that_the_keeper_held_goes_on_with_what_was_written_meanwhile(pumping: Pumping) -> None:
    held = os.dup(pumping.pump.open_pipe("web"))
    pumping.pump.start()
    pumping.pump.stop()
    os.write(held, b"nobody was there\n")
    after = LogPump(str(pumping.directory))
    after.adopt("web", held)
    after.drain("web")
    after.stop()
    assert pumping.text("web") == b"nobody was there\n"
    pumping.pump = LogPump(str(pumping.directory))


def test_what_was_lost_while_nobody_pumped_is_told_before_what_the_pipe_holds(pumping: Pumping) -> None:
    held = os.dup(pumping.pump.open_pipe("web"))
    os.write(held, b"before\n")
    pumping.pump.stop()
    pumping.pump = LogPump(str(pumping.directory))
    pumping.pump.adopt("web", held)
    os.write(held, b"after\n")
    pumping.pump.note_lost("web", 7, "nobody pumped")
    assert pumping.text("web") == b"before\n\n-- supd: 7 bytes of output are missing here; nobody pumped --\nafter\n"
    assert pumping.pump.lost_bytes("web") == 7
    assert pumping.pump.notes() == ["7 bytes that web wrote were lost (nobody pumped); its log shows where."]


def test_stopping_moves_what_is_left(pumping: Pumping) -> None:
    pumping.pump.start()
    os.write(pumping.pump.open_pipe("web"), b"last\n")
    pumping.pump.stop()
    assert pumping.text("web") == b"last\n"
    pumping.pump = LogPump(str(pumping.directory))


def test_a_closed_unit_is_no_longer_pumped_though_the_keeper_holds_its_pipe(pumping: Pumping) -> None:
    pumping.pump.start()
    held = os.dup(pumping.pump.open_pipe("web"))
    pumping.pump.close_pipe("web")
    os.write(held, b"too late\n")
    os.write(pumping.pump.open_pipe("db"), b"pumped\n")
    pumping.until(lambda: pumping.text("db") == b"pumped\n")
    os.close(held)
    assert pumping.text("web") == b""


def test_names_that_are_no_units_are_refused(pumping: Pumping) -> None:
    for name in ("", "..", "a/b"):
        with pytest.raises(ValueError, match="no unit's name"):
            pumping.pump.directory_of(name)


def test_a_writer_meets_no_broken_pipe_when_nobody_pumps(pumping: Pumping) -> None:
    fd = pumping.pump.open_pipe("web")
    writer, held = os.open(f"/proc/self/fd/{fd}", os.O_RDWR), os.dup(fd)
    pumping.pump.stop()
    assert os.write(writer, b"still here\n") == 11
    os.close(writer)
    os.close(held)
    pumping.pump = LogPump(str(pumping.directory))


def test_a_unit_that_floods_gets_a_large_pipe_and_no_other_does(pumping: Pumping) -> None:
    import fcntl

    pumping.pump.start()
    fd = pumping.pump.open_pipe("flood")
    quiet = pumping.pump.open_pipe("quiet")
    before = fcntl.fcntl(quiet, fcntl.F_GETPIPE_SZ)
    with open(f"/proc/self/fd/{fd}", "r+b", buffering=0) as pipe, subprocess.Popen(["/usr/bin/yes"], stdout=pipe) as process:
        pumping.until(lambda: fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ) == 1 << 20)
        process.kill()
    assert fcntl.fcntl(quiet, fcntl.F_GETPIPE_SZ) == before


def test_a_pipe_whose_pages_are_all_in_use_is_full(pumping: Pumping) -> None:
    """As blocks of whole lines leave it: 65,500 bytes of 65,536."""
    import fcntl

    pumping.pump.start()
    fd, writer = pumping.pump.open_pipe("flood"), pumping.writer("flood")
    for _ in range(8):  # two looks in a row at least, however many of them are moved in one
        before = len(pumping.text("flood"))
        os.write(writer, b"x" * 65_500)
        pumping.until(lambda: len(pumping.text("flood")) == before + 65_500)  # noqa: B023 # it is asked within the turn
    pumping.until(lambda: fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ) == 1 << 20)
    os.close(writer)


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 256 KiB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system takes root")
    directory = Path(tempfile.mkdtemp(prefix="supd-disk-"))
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(directory)], capture_output=True, check=False)
    if mounted.returncode != 0:
        directory.rmdir()
        pytest.skip("mounting is not allowed here")
    yield directory
    subprocess.run(["umount", str(directory)], check=True)
    directory.rmdir()


def test_a_full_disk_drops_and_counts_and_the_gap_is_told_later(small_disk: Path) -> None:
    pumping = Pumping(small_disk / "logs")
    pumping.pump.start()
    writer = pumping.writer("web")
    program = "import os\nfor _ in range(64): os.write(1, b'x' * 65536)"
    # 4 MiB into 256 KiB: that it ends at all is what matters to the child.
    subprocess.run([sys.executable, "-I", "-S", "-c", program], stdout=writer, check=True, timeout=DEADLINE_S)
    pumping.pump.drain("web")
    lost = pumping.pump.lost_bytes("web")
    assert 0 < lost <= 64 * 65536
    assert pumping.pump.notes() == [
        f"cannot write the log of web: {os.strerror(errno.ENOSPC)}; {lost} bytes were dropped so that the unit need not wait."
    ]
    os.truncate(small_disk / "logs" / "web" / "current", 0)
    os.write(writer, b"there is room again\n")
    pumping.pump.drain("web")
    pumping.until(lambda: pumping.text("web").endswith(b"there is room again\n"))
    assert f"{lost} bytes of output are missing here".encode() in pumping.text("web")
    assert pumping.pump.notes() == [f"{lost} bytes that web wrote were lost (the log could not be written); its log shows where."]
    os.close(writer)
    pumping.close()


def test_a_log_directory_that_cannot_be_made_drops_and_counts(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file stands where the directory should be")
    pumping = Pumping(tmp_path / "logs")
    os.write(pumping.pump.open_pipe("web"), b"lost\n")
    pumping.pump.drain("web")
    assert pumping.pump.lost_bytes("web") == 5
    assert "cannot write the log of web" in pumping.pump.notes()[0]
    pumping.close()


def test_where_splice_is_refused_bytes_are_copied_and_that_is_said(tmp_path: Path) -> None:
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    stream = LogStream("web", reader, str(tmp_path / "web"))
    os.write(writer, b"one\n")
    stream.drain(100)
    # The kernel refuses to splice to a file opened for appending: the same answer a file system without splice gives.
    import fcntl

    fd = stream.segment.fileno()
    fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_APPEND)
    os.write(writer, b"two\n")
    stream.drain(100)
    assert (tmp_path / "web" / "current").read_bytes() == b"one\ntwo\n"
    assert not stream.is_spliced
    stream.close()
    os.close(writer)


def test_two_threads_that_drain_one_stream_lose_and_double_nothing(pumping: Pumping) -> None:
    pumping.pump.start()
    writer = pumping.writer("web")

    def write() -> None:
        for n in range(20_000):
            os.write(writer, b"%d\n" % n)

    thread = threading.Thread(target=write)
    thread.start()
    while thread.is_alive():
        pumping.pump.drain("web")
    thread.join()
    os.close(writer)
    pumping.pump.drain("web")
    assert pumping.text("web") == b"".join(b"%d\n" % n for n in range(20_000))
