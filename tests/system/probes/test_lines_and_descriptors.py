"""Probes that wait for a line in the log, or for a newline on a descriptor; and the loop that may not be there yet."""

import asyncio
import os
from pathlib import Path

from supervisor.daemon.logfollow import LogFollowers
from supervisor.daemon.logs import LogPump
from supervisor.daemon.probes import Probes
from supervisor.daemon.reactor import LoopReactor, Registrations
from supervisor.daemon.readypipes import ReadyPipes
from supervisor.model.effects import StartProbe
from supervisor.model.events import ProbeReported
from supervisor.model.specification import Command, Probe
from tests.system.probes.asking import DEADLINE_S, Asking


def test_a_log_probe_sees_the_line_that_comes(asking: Asking) -> None:
    fd = asking.pump.open_pipe("web")
    asking.start("log", r"listening on \d+")
    os.write(fd, b"starting\n\x1b[32mlistening\x1b[0m on 80\nlistening on 81\n")
    report = asking.next()
    assert (report.ok, report.text) == (True, "output matched: listening on 80")
    os.write(fd, b"listening on 82\n")
    asking.pump.drain("web")
    asking.do(asyncio.sleep(0))
    assert asking.reports.empty()  # it is told once


def test_a_log_probe_sees_a_line_that_was_written_before_it_began_but_none_of_the_last_run(asking: Asking) -> None:
    fd = asking.pump.open_pipe("web")
    os.write(fd, b"ready (last run)\n")
    asking.pump.mark("web")
    os.write(fd, b"ready (this run)\n")
    asking.pump.drain("web")
    asking.start("log", "^ready")
    assert asking.next().text == "output matched: ready (this run)"


def test_a_log_probe_goes_on_over_a_new_manager_where_the_run_began(asking: Asking) -> None:
    held = os.dup(asking.pump.open_pipe("web"))
    os.write(held, b"ready (last run)\n")
    marked = asking.pump.mark("web")
    os.write(held, b"ready (this run)\n")
    asking.pump.close_pipe("web")
    asking.pump.adopt("web", held, marked)
    asking.start("log", "^ready")
    assert asking.next().text == "output matched: ready (this run)"


def test_a_line_that_arrives_in_pieces_is_one_line(asking: Asking) -> None:
    fd = asking.pump.open_pipe("web")
    asking.pump.mark("web")
    asking.start("log", "^all in one$")
    for piece in (b"all ", b"in ", b"one"):
        os.write(fd, piece)
        asking.pump.drain("web")
        asking.do(asyncio.sleep(0))
    assert asking.reports.empty()
    os.write(fd, b"\n")
    assert asking.next().ok


def test_a_log_probe_counts_matching_lines_up_to_its_threshold(asking: Asking) -> None:
    fd = asking.pump.open_pipe("web")
    asking.start("log", "joined", success_threshold=2)
    os.write(fd, b"one joined\ntwo joined\nthree joined\n")
    assert [asking.next().text, asking.next().text] == ["output matched: one joined", "output matched: two joined"]
    assert asking.reports.empty()


def test_a_line_on_a_standard_error_that_is_kept_apart_counts_too(asking: Asking) -> None:
    asking.pump.open_pipe("web")
    err = asking.pump.open_pipe("web/stderr")
    asking.start("log", "listening")
    os.write(err, b"now listening\n")
    asking.pump.drain("web")
    assert asking.next().ok


def test_a_pattern_that_is_none_is_said_to_be_none(asking: Asking) -> None:
    asking.pump.open_pipe("web")
    ok, text = asking.answer("log", "(")
    assert not ok and text.startswith("cannot look for '(' in the output: ")


def test_an_fd_probe_is_good_at_the_newline(asking: Asking) -> None:
    child_end = os.dup(asking.pipes.renew("web", 0))
    asking.start("fd", "3")
    os.write(child_end, b"not yet")
    os.write(child_end, b"\n")
    report = asking.next()
    assert (report.ok, report.text) == (True, "newline on descriptor 3")
    os.close(child_end)
    asking.pipes.close("web", 0)


def test_a_newline_that_came_before_the_probe_began_counts_but_not_one_of_the_last_run(asking: Asking) -> None:
    last_run = os.dup(asking.pipes.renew("web", 0))
    this_run = os.dup(asking.pipes.renew("web", 0))
    os.write(last_run, b"\n")
    asking.start("fd", "3")
    asking.do(asyncio.sleep(0))
    assert asking.reports.empty()
    os.write(this_run, b"\n")
    assert asking.next().ok
    os.close(last_run)
    os.close(this_run)
    asking.pipes.close("web", 0)


def test_an_fd_probe_without_a_pipe_says_so(asking: Asking) -> None:
    assert asking.answer("fd", "3") == (False, "no pipe was passed as descriptor 3")


def test_a_child_that_reads_its_own_end_blocks_nobody(asking: Asking) -> None:
    fd = asking.pipes.renew("web", 0)
    asking.start("fd", "3")
    asking.do(asyncio.sleep(0))
    os.write(fd, b"x\n")
    assert os.read(fd, 10) == b"x\n"
    asking.do(asyncio.sleep(0))
    os.write(fd, b"\n")
    assert asking.next().ok
    asking.pipes.close("web", 0)


def test_a_probe_that_was_started_before_there_was_a_loop_is_asked_when_there_is_one(tmp_path: Path) -> None:
    registrations = Registrations()
    pump = LogPump(str(tmp_path / "logs"))
    followers = LogFollowers(pump, registrations)
    reports: list[ProbeReported] = []
    loop = asyncio.new_event_loop()
    answered = asyncio.Event()

    def report(reported: ProbeReported) -> None:
        reports.append(reported)
        answered.set()

    async def run_command(unit: str, command: Command, timeout_us: int) -> tuple[bool, str]:
        return True, "well"

    probes = Probes(registrations, report, run_command, followers, ReadyPipes(registrations))
    probes.start(StartProbe("web", 1, 0), Probe("ready", "exec", "", command=Command("/bin/true", ("true",))))
    registrations.attach(LoopReactor(loop))
    loop.run_until_complete(asyncio.wait_for(answered.wait(), DEADLINE_S))
    assert reports == [ProbeReported("web", 1, 0, True, "well")]
    probes.close()
    loop.run_until_complete(asyncio.sleep(0))
    followers.close()
    pump.stop()
    loop.close()
