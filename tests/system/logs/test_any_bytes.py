"""Any bytes, split and interrupted in any way, are read back the same by every reader: the raw segments, pages, and one who follows."""

import os
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.client.follow import ALL, LocalTail
from supervisor.client.logfile import segments
from supervisor.client.logfilter import EVERYTHING
from supervisor.client.loglines import LocalStream
from supervisor.client.logpages import backward, forward, streams_of
from supervisor.daemon.api import logbytes
from supervisor.daemon.logkeeping import LogKeeping
from supervisor.daemon.logs import LogPump
from supervisor.model.specification import Log

SIZE_BYTES = 4096
LOG = Log(max_size_bytes=SIZE_BYTES, keep=1000)
COMPRESSED = Log(max_size_bytes=SIZE_BYTES, keep=1000, compress=True)  # by the step of that name alone: here no manager is ever gone

# What may happen to a log, one after the other. "kill": the manager dies with bytes in the pipe, and another one takes it over.
WRITE = st.tuples(
    st.just("write"),
    st.one_of(
        st.binary(max_size=200), st.sampled_from([b"\n", b"a line\n", b"\n\n\n"]), st.integers(1, 6000).map(lambda n: b"x" * n + b"\n")
    ),
)
STEPS = st.lists(
    st.one_of(WRITE, WRITE, st.tuples(st.sampled_from(["drain", "kill", "compress", "follow", "damage"]), st.just(b""))), max_size=30
)


class World:
    """A pump and everybody who reads along."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.log = os.path.join(directory, "web")
        self.written = b""
        self.pump = self._pump()
        self.pipe = os.dup(self.pump.open_pipe("web"))
        self.tail = LocalTail(self.log)
        self.followed = b"".join(self.tail.last(ALL))
        self.cursor = "0:0"
        self.answered = b""
        self.reading = forward([LocalStream("web", self.log)])
        self.lines: list[bytes] = []

    def _pump(self) -> LogPump:
        pump = LogPump(self.directory)
        pump.configure("web", LOG)
        return pump

    def do(self, step: str, data: bytes) -> None:
        if step == "write":
            try:
                self.written += data[: os.write(self.pipe, data)]
            except BlockingIOError:
                pass  # the pipe is full
            return
        if step == "kill":
            # What a killed manager leaves: its descriptors are closed, the keeper's is not, and nothing was moved at the end.
            self.pump = self._pump()
            self.pump.adopt("web", os.dup(self.pipe))
        self.pump.drain("web")
        if step == "compress":
            LogKeeping(self.directory).tidy(self.log, COMPRESSED)
        elif step == "follow":
            self.follow()
        elif step == "damage" and segments(self.log):
            path = Path(self.log) / f"{segments(self.log)[0]:08d}.idx"
            raw = bytearray(path.read_bytes())
            if raw:
                raw[len(raw) // 2] ^= 0xFF
                path.write_bytes(bytes(raw[: len(raw) - 7]))

    def follow(self) -> None:
        self.followed += b"".join(self.tail.more())
        while True:
            content, self.cursor = logbytes.after(self.log, self.cursor)
            if not content:
                break
            self.answered += content
        self.lines += [line.text + b"\n" * (line.next_offset > line.offset + line.size_bytes) for line in self.reading if line.ends]

    def close(self) -> None:
        self.pump.drain("web")
        self.follow()
        self.tail.close()
        self.pump.stop()
        os.close(self.pipe)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_every_reader_reads_what_was_written(steps: list[tuple[str, bytes]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        world = World(directory)
        for step, data in steps:
            world.do(step, data)
        world.close()
        whole = world.written
        end = whole.rfind(b"\n") + 1
        assert world.followed == whole, "who follows the files"
        assert world.answered == whole, "who asks the API for bytes"
        assert b"".join(world.lines) == whole[:end], "who follows line by line"
        streams = streams_of("web", world.log)
        read = [line.text + b"\n" * (line.next_offset > line.offset + line.size_bytes) for line in forward(streams, None, EVERYTHING)]
        assert b"".join(read) == whole, "who reads it afterwards"
        assert [line.text for line in backward(streams)][::-1] == [line.text for line in forward(streams)], "and backwards"
