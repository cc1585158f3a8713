"""The keeper's loop: one thread, one epoll, no policy.

It carries out batches, learns of exec and of ends, reports them, and keeps a manager running. Invariants:

- It never blocks: every descriptor it reads or writes is non-blocking, every wait is a WNOHANG, and a full link only sets a flag.
- Nothing is lost with a manager: what it sent is carried out before its successor is given the table, and what it did not
  read is in that table.
- A bad batch costs the manager its life and changes nothing; no batch can end the keeper but `leave`.

The keeper's own death kills no service. The manager sees the link end and leaves.
"""

import gc
import os
import resource
import select
import signal
import time
from collections.abc import Callable
from typing import Any

from supervisor.keeper import batch, messages, reap, reexec, stopping, syscalls
from supervisor.keeper import spawn as spawning
from supervisor.keeper.journal import Journal
from supervisor.keeper.lastresort import LastResort
from supervisor.keeper.manager import Manager
from supervisor.keeper.runs import Run, Table
from supervisor.keeper.stderr import say
from supervisor.keeper.store import Store

# EX_CONFIG and EX_USAGE of <sysexits.h>: a manager cannot be here, or with these arguments. What supd leaves with then.
HOPELESS = {78: 1, 64: 2}
PACKETS_PER_WAKEUP = 16  # then signals and children are looked after again
SPAWNS_PER_LOOK = 8  # within a batch: the manager learns of its first runs while the last ones are forked
LEAVE_LIMIT_S = 10.0  # a manager that said it leaves has this long


class Keeper:
    """Runs, stored descriptors and the manager, driven by `run`."""

    def __init__(self, manager: Manager, content: dict[str, Any] | None = None) -> None:
        """`content` is what an earlier keeper of this pid knew (reexec.py)."""
        self._manager = manager
        self._table = Table()
        self._store = Store()
        self._inbox = batch.Inbox()
        self._epoll = select.epoll()
        self._status_pipes: dict[int, Run] = {}
        self._caught: set[int] = set()
        self._packet: bytes | None = None  # reports the link did not take
        self._is_link_full = False
        self._was_ever_ready = False
        self._start_at_s: float | None = None  # when the next manager starts
        self._leave_status: int | None = None
        self._leave_at_s = 0.0
        self._stop = stopping.StopRequests(manager, self._table, self._kill_manager)
        self._kill_at_s: float | None = None  # a manager whose link ended has until then to end as well
        self._exit_status: int | None = None
        self._wake_fd, wake_write_fd = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._epoll.register(self._wake_fd, select.EPOLLIN)
        self._catch_signals(wake_write_fd)
        self._spawner = spawning.Spawner(manager.nofile[0])
        hard = self._manager.nofile[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
        self._journal: Journal | None = None
        self._last_resort = LastResort(self._store)
        self._replacement = reexec.Replacement(manager, self._table, self._store, self._last_resort, self._kill_manager)
        self._ops: dict[str, Callable[..., None]] = {
            "journal": self._keep_journal,
            "echo": lambda number: self._table.notices.append(["echo", number]),
            "reexec": self._replacement.try_code,
            "spawn": self._spawn,
            "signal": self._signal,
            "drop": self._store.drop,
            "forget": self._table.forget,
            "ack": self._table.acknowledge,
            "told_emptied": self._last_resort.note_told,
            "ready": self._note_ready,
            "pumping": self._note_pumping,
            "leave": self._note_leaving,
        }
        if content is not None:
            self._go_on(content)

    def _go_on(self, content: dict[str, Any]) -> None:
        """Take up where the keeper of before the exec left off, beginning with a manager."""
        for run in reexec.load(content, self._table, self._store):
            self._watch_status(run)
        self._table.signals += content["signals"]
        self._was_ever_ready = True
        if content["journal"]:
            self._keep_journal(content["journal"])
        self._last_resort.counts.update(content.get("emptied", {}))  # the table of a keeper before this one knows none
        self._start_at_s = time.monotonic()
        self._last_resort.arm(self._start_at_s)

    def _catch_signals(self, wake_write_fd: int) -> None:
        signal.set_wakeup_fd(wake_write_fd, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            # What whoever started supd had ignored (nohup, a background job) stays ignored.
            if number == signal.SIGCHLD or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, lambda caught, _: self._caught.add(caught))
        for number in (signal.SIGUSR1, signal.SIGUSR2):
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())  # last: what came since before an exec in place is caught now

    def run(self) -> int:
        """Keep until the manager says leave (or nobody can); returns supd's exit status."""
        gc.freeze()  # what is here now stays: children need not copy the pages the collector would touch
        self._caught.add(signal.SIGCHLD)  # the manager may have ended before its end could be caught
        self._watch_link()
        while self._exit_status is None:
            self._tend_signals()
            self._tend_deadlines()
            self._send_reports()
            if self._exit_status is None and not self._caught:
                for descriptor, events in self._epoll.poll(self._wait_s()):
                    self._dispatch(descriptor, events)
        return self._exit_status

    def _dispatch(self, descriptor: int, events: int) -> None:
        if descriptor == self._wake_fd:
            self._empty_wake_pipe()
        elif (run := self._status_pipes.get(descriptor)) is not None:
            self._read_status(run)
        elif self._manager.link is not None and descriptor == self._manager.link.fileno():
            if events & select.EPOLLOUT:
                self._is_link_full = False
                self._epoll.modify(descriptor, select.EPOLLIN)
            if events & ~select.EPOLLOUT:
                self._read_link(PACKETS_PER_WAKEUP)

    def _empty_wake_pipe(self) -> None:
        try:
            os.read(self._wake_fd, 65536)
        except BlockingIOError:
            pass  # what was caught is in the set; the bytes only wake

    # Deadlines follow from state; usually there are none.

    def _wait_s(self) -> float | None:
        moments = (self._start_at_s, self._kill_at_s, self._stop.kill_at_s, self._last_resort.at_s, self._replacement.trial_ends_at_s)
        deadlines = [at for at in moments if at is not None]
        if self._leave_status is not None:
            deadlines.append(self._leave_at_s)
        return max(0.0, min(deadlines) - time.monotonic()) if deadlines else None

    def _tend_deadlines(self) -> None:
        now_s = time.monotonic()
        self._last_resort.tend(now_s)
        if self._leave_status is not None and now_s >= self._leave_at_s:
            say(f"the manager did not leave within {LEAVE_LIMIT_S:g} s as it said; it is left behind")
            self._exit_status = self._leave_status
        self._replacement.end_trial_if_late(now_s)
        if self._kill_at_s is not None and now_s >= self._kill_at_s:
            self._kill_at_s = None
            self._kill_manager()
        if self._stop.is_over(now_s):
            self._exit_status = 128 + signal.SIGTERM
        elif self._start_at_s is not None and now_s >= self._start_at_s:
            self._start_manager()

    # Signals to the keeper itself.

    def _tend_signals(self) -> None:
        while self._caught:
            number = self._caught.pop()
            if number == signal.SIGCHLD:
                self._reap()
            elif number in stopping.STOP_SIGNALS:
                if self._stop.note(number):
                    self._start_at_s = None
            elif number not in self._table.signals:
                self._table.signals.append(number)

    # Children.

    def _reap(self) -> None:
        while (end := reap.next_end()) is not None:
            run = self._table.by_pid.get(end.pid)
            if run is not None:
                self._note_end(run, end)
            elif end.pid == self._manager.pid:
                self._note_manager_gone(end)
            elif end.pid == self._replacement.trial_pid:
                self._replacement.note_trial(end)
            else:
                self._table.add_stranger(end)

    def _note_end(self, run: Run, end: reap.End) -> None:
        self._read_status(run)  # the dead write no more: it is complete
        if run.facts[-1][0] != "spawn_failed":  # which has told the end already
            self._table.add_fact(run, ["exited", run.run, end.code, end.status, end.usage])
        self._table.note_reaped(run)

    def _watch_status(self, run: Run) -> None:
        """Wake at the end of what the pipe says (EPOLLHUP is always told), which is exec or a failure: not at words on the way there."""
        self._status_pipes[run.status_fd] = run
        self._epoll.register(run.status_fd, 0)

    def _read_status(self, run: Run) -> None:
        if run.status_fd < 0:
            return
        try:
            while piece := os.read(run.status_fd, 4096):
                run.status += piece
        except BlockingIOError:
            return
        try:
            self._epoll.unregister(run.status_fd)
        except OSError:
            pass  # it could not be watched for lack of kernel memory, and told its story at the child's end
        del self._status_pipes[run.status_fd]
        os.close(run.status_fd)
        run.status_fd = -1
        outcome = spawning.outcome(run.status)
        if outcome is True:
            self._table.add_fact(run, ["execed", run.run])
        elif outcome is not False:
            self._table.add_fact(run, ["spawn_failed", run.run, *outcome])

    def _look_at_status_pipes(self) -> None:
        for descriptor, _ in self._epoll.poll(0):
            if (run := self._status_pipes.get(descriptor)) is not None:
                self._read_status(run)

    # What the manager asks for.

    def _spawn(self, request: dict[str, Any]) -> None:
        number = request["run"]
        known = self._table.runs.get(number)
        if known is not None:
            self._table.repeat(known)
            return
        run = self._table.runs[number] = Run(number, request["unit"], request["phase"])
        try:
            pid, status_fd = self._spawner.spawn(request, self._store.descriptors)
        except OSError as error:
            failure = [spawning.FORK_FAILED_STEP, error.errno, spawning.FORK_FAILED_STATUS]
            self._table.add_fact(run, ["spawn_failed", number, *failure])
            return
        run.pid, run.status_fd = pid, status_fd
        run.start_time_ticks = reap.start_time_ticks(pid)
        self._table.by_pid[pid] = run
        self._watch_status(run)
        self._table.add_fact(run, ["forked", number, pid, run.start_time_ticks])

    def _signal(self, number: int, signal_number: int) -> None:
        run = self._table.runs.get(number)
        if run is not None:
            stopping.send(run, signal_number)

    def _keep_journal(self, path: str) -> None:
        self._journal = Journal(path)
        self._table.on_fact = self._journal.note_fact
        self._replacement.journal_path = path
        self._journal.rewrite(self._table.content())

    def _note_ready(self) -> None:
        self._was_ever_ready = True
        self._last_resort.disarm()

    def _note_pumping(self) -> None:
        self._last_resort.disarm()
        self._table.notices.append(["emptied", dict(self._last_resort.counts)])

    def _note_leaving(self, exit_status: int) -> None:
        self._leave_status = exit_status
        self._leave_at_s = time.monotonic() + LEAVE_LIMIT_S

    def _carry_out(self, remembered: dict[str, str], ops: list[batch.Op], descriptors: list[int]) -> None:
        if self._journal is not None:
            if self._journal.is_due:
                self._journal.rewrite(self._table.content())
            self._journal.note_batch(remembered, ops)
        self._table.remember(remembered)
        arrived = iter(descriptors)
        for name, *arguments in ops:
            if name == "store":
                self._store.put(arguments[0], next(arrived), is_withheld=arguments[1])
                continue
            try:
                self._ops[name](*arguments)
            except Exception as error:  # whatever an op meets, the others of its batch are carried out and the keeper lives
                say(f"cannot carry out {name}: {error!r}")
            if self._table.unsent_runs() >= SPAWNS_PER_LOOK:
                self._look_at_status_pipes()
                self._send_reports()

    # The link.

    def _watch_link(self) -> None:
        if self._manager.link is not None:
            self._is_link_full = False
            self._epoll.register(self._manager.link.fileno(), select.EPOLLIN)

    def _read_link(self, packets_max: int | None) -> None:
        """Carry out what the manager sent: this many packets, or all there are."""
        while self._manager.link is not None and packets_max != 0:
            try:
                packet = messages.receive_packet(self._manager.link)
                if packet is None:
                    return
                if not packet[0]:
                    self._close_link()
                    return
                whole = self._inbox.add(*packet)
            except ConnectionResetError:
                # It left with reports unread: the table covers those, only a request to stop is on nobody's books.
                self._stop.ask_again()
            except (messages.BadPacket, OSError) as error:
                say(f"cannot carry out what the manager asked: {error}. It is killed and started again; every service runs on")
                self._close_link()
                self._kill_manager()
                return
            else:
                if whole is not None:
                    self._carry_out(*whole)
            packets_max = None if packets_max is None else packets_max - 1

    def _close_link(self) -> None:
        """The link ended or is not to be trusted any more. A manager without a link has a little time to end by itself."""
        link, self._manager.link = self._manager.link, None
        if link is None:
            return
        self._epoll.unregister(link.fileno())
        link.close()
        self._inbox.close()
        if self._packet is not None:  # never sent: the table covers all of it but a request to stop
            self._packet = None
            self._stop.ask_again()
        self._kill_at_s = time.monotonic() + LEAVE_LIMIT_S

    def _send_reports(self) -> None:
        link = self._manager.link
        while link is not None and not self._is_link_full and (self._packet is not None or self._table.has_unsent()):
            if self._packet is None:
                self._stop.note_sent()
                self._packet = messages.encode(self._table.take_reports())
            try:
                is_sent = messages.send_packet(link, self._packet, [])
            except OSError:
                return  # the other end is gone, and its end is on the way; the next one gets the table
            if is_sent:
                self._packet = None
            else:
                self._is_link_full = True
                self._epoll.modify(link.fileno(), select.EPOLLIN | select.EPOLLOUT)

    # The manager's life.

    def _kill_manager(self) -> None:
        if self._manager.pid:
            os.kill(self._manager.pid, signal.SIGKILL)  # our own unreaped child: the number is still its own

    def _note_manager_gone(self, end: reap.End) -> None:
        self._read_link(None)
        self._close_link()
        self._manager.pid = 0
        self._kill_at_s = None
        self._last_resort.arm(time.monotonic())
        how = f"exit status {end.status}" if end.code == "exited" else f"signal {end.status}"
        if self._leave_status is None:
            self._replacement.exec_if_due()
        if self._leave_status is not None:
            self._exit_status = self._leave_status
        elif end.code == "exited" and end.status in HOPELESS and not self._was_ever_ready:
            self._exit_status = HOPELESS[end.status]  # it has said why
        elif self._stop.kill_at_s is None:
            delay_s = self._manager.delay_after_death_s()
            when = f"in {delay_s:g} s" if delay_s else "at once"
            say(f"the manager (pid {end.pid}) ended with {how}; every service runs on, a new manager starts {when}")
            self._start_at_s = time.monotonic() + delay_s

    def _start_manager(self) -> None:
        self._start_at_s = None
        table = self._table.for_new_manager() | {
            "stored": self._store.listing(),
            "starts": self._manager.starts + 1,
            "keeper_pid": os.getpid(),
            "nofile_soft": self._manager.nofile[0],
        }
        try:
            self._manager.start(messages.encode(table), self._store.inherited())
        except OSError as error:
            delay_s = max(0.1, self._manager.delay_after_death_s())
            say(f"cannot start a manager: {error.strerror}; every service runs on, the next try is in {delay_s:g} s")
            self._start_at_s = time.monotonic() + delay_s
        self._watch_link()
