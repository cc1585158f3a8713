"""A few threads for what may block: look-ups, directories, conditions, PID files. Each piece of work has one answer.

Answers are handed over on the loop's thread, in the order they come. Threads start with the first piece of work and are
daemonic: one that hangs in a dead network file system holds up nothing but itself. Where not one is to be had, who asks does
the work. Never: touches the engine.
"""

import os
from collections import deque
from collections.abc import Callable
from typing import Any

from supervisor.daemon.reactor import Reactor

THREADS_MAX = 8  # a hung look-up occupies one; eight units hung at the same time are a broken machine

Work = Callable[[], Any]
Answer = Callable[[Any, BaseException | None], object]


class Workers:
    """`submit` a piece of work; its answer is called on the loop's thread with (result, error)."""

    def __init__(self, reactor: Reactor) -> None:
        self._tasks: Any = None
        self._threads = 0
        self._open = 0
        self._done: deque[tuple[Answer, Any, BaseException | None]] = deque()
        self._wake_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        reactor.add_reader(self._wake_fd, self._deliver)

    def submit(self, work: Work, answer: Answer) -> None:
        """Run `work` in a thread. What it raises is given to `answer`."""
        if self._tasks is None:
            import queue

            self._tasks = queue.SimpleQueue()
        self._tasks.put((work, answer))
        self._open += 1
        if self._threads < min(self._open, THREADS_MAX):
            import threading

            try:
                threading.Thread(target=self._run, name=f"worker-{self._threads + 1}", daemon=True).start()
                self._threads += 1
            except RuntimeError:  # no thread is to be had now: those there are do it, or whoever asks waits
                if not self._threads:
                    self._do(*self._tasks.get())

    def _run(self) -> None:
        while True:
            self._do(*self._tasks.get())

    def _do(self, work: Work, answer: Answer) -> None:
        result, error = None, None
        try:
            result = work()
        except BaseException as raised:  # whatever it is, it is the answer: a worker must not die of its work
            error = raised
        self._done.append((answer, result, error))
        os.eventfd_write(self._wake_fd, 1)

    def _deliver(self) -> None:
        try:
            os.eventfd_read(self._wake_fd)
        except BlockingIOError:
            pass  # another call has emptied it
        while self._done:
            answer, result, error = self._done.popleft()
            self._open -= 1
            answer(result, error)
