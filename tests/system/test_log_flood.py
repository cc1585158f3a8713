"""A flood through a real supd: byte for byte on disk, over many segments, while managers are killed in the midst of it."""

import os
import re
import signal
import time
from pathlib import Path

import pytest

from supervisor.client.logfile import open_segment, segments
from supervisor.keeper.lastresort import UNPUMPED_LIMIT_S
from tests.system.arrival import Deadline, ends_in_time
from tests.system.conftest import StartSupd

LINES = 640_000  # of 100 bytes: 61 MiB; `--full`: ten times as many, and as many kills of the manager
KILLS = 3
FLOOD = """
import os, sys
for start in range(0, int(sys.argv[1]), 500):
    os.write(1, b"".join(b"%098d.\\n" % n for n in range(start, start + 500)))
"""
GAP = re.compile(rb"\n-- supd: (\d+) bytes of output are missing here; [^\n]* --\n")


def flood(position: int, count: int) -> bytes:
    """So many bytes of the flood, from this byte on."""
    first = position // 100
    text = b"".join(b"%098d.\n" % number for number in range(first, first + count // 100 + 2))
    return text[position - first * 100 :][:count]


UNIT = """
[service]
type = "oneshot"
exec_start = "python3 -I -S flood.py LINES"
remain_after_exit = true
[log]
max_size = "8M"
keep = 1000
"""


def test_a_flood_is_byte_exact_though_the_manager_is_killed_in_its_midst(start_supd: StartSupd, pytestconfig: pytest.Config) -> None:
    factor = 1 if pytestconfig.getoption("--full") is None else 10
    lines, kills = LINES * factor, KILLS * factor
    supd = start_supd(
        {"flood": UNIT.replace("LINES", str(lines)) + "\n[unit]\nenabled = false\n", "quiet": '[service]\nexec_start = "sleep 1000"\n'}
    )
    supd.write("flood.py", FLOOD)
    supd.supctl("start", "--no-block", "flood")
    log = Path(supd.path(".supd", "logs", "flood"))
    longest_s = 0.0
    for number in range(1, kills + 1):
        deadline = Deadline(60)
        while number not in segments(str(log)):
            assert deadline.remaining_s(), "the flood does not get on"
        manager = supd.get("/v1/version")["manager_pid"]
        killed_s = time.monotonic()
        os.kill(manager, signal.SIGKILL)
        assert ends_in_time(manager, 10)
        assert supd.get("/v1/version")["manager_pid"] != manager  # it pumps before it answers
        longest_s = max(longest_s, time.monotonic() - killed_s)
    shown = supd.wait_until("flood", "active", within_s=60 * factor)
    assert shown["n_restarts"] == 0
    position = missing_bytes = 0
    for sequence in segments(str(log)):
        with open(open_segment(str(log), sequence), "rb") as file:
            kept, *gaps = GAP.split(file.read())
        for lost, piece in zip([b"0", *gaps[::2]], [kept, *gaps[1::2]], strict=True):
            position += int(lost)
            missing_bytes += int(lost)
            assert piece == flood(position, len(piece))
            position += len(piece)
    assert position == lines * 100
    # On a machine that is so busy that no manager could pump for ten seconds the keeper makes room in the pipe, and only then; the log
    # tells how much is missing, to the byte, where it is missing.
    assert missing_bytes == 0 or longest_s > UNPUMPED_LIMIT_S
    assert len(segments(str(log))) >= 8
    assert supd.supctl("logs", "flood", "--run", "0", "-n", "1", "-o", "cat").stdout == f"{lines - 1:098d}.\n"


def test_logs_are_read_when_no_supd_runs_any_more(start_supd: StartSupd) -> None:
    said = '[service]\ntype = "oneshot"\nexec_start = "echo last words"\n'
    supd = start_supd({"web": said, "db": said})
    for unit in ("web", "db"):
        supd.wait_for_line(unit, "last words")
    supd.stop()
    ran = supd.supctl("logs", "we*", "--since", "-1h", "-o", "cat")
    assert ran.stdout == "last words\n"
    assert ran.stderr == f"supctl: no supd answers; these are the logs in {supd.path('.supd', 'logs')}\n"
    assert sorted(line.split(" ", 3)[3] for line in supd.supctl("logs").stdout.splitlines()) == ["db: last words", "web: last words"]
    assert "there is no log of cache\n" in supd.supctl("logs", "cache", expect=4).stderr
