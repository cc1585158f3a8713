"""The words between keeper and manager, and what either end does with them. Sockets and descriptors are real."""

import json
import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from supervisor.daemon.link import KeeperLink, LinkClosed
from supervisor.keeper import batch, messages
from supervisor.keeper.messages import BadPacket, SpawnRequest
from supervisor.keeper.reap import End
from supervisor.keeper.runs import REPORTS_MAX_PER_PACKET, STRANGERS_MAX, Run, Table

TABLE = {"remembered": {"a": "b"}, "runs": {"7": {"unit": "web"}}, "stored": [], "reaped": [], "starts": 1}


def request(**fields: Any) -> SpawnRequest:
    required: dict[str, Any] = {"run": 1, "unit": "web", "phase": "main", "path": "/bin/true", "argv": ["true"], "environment": []}
    return SpawnRequest(**(required | {"pid_variables": []} | fields))


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, KeeperLink]]:
    """The keeper's end of a link as a bare socket, and the manager's as it uses it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    link = KeeperLink(theirs.detach(), messages.body_memfd(json.dumps(TABLE).encode(), "table"))
    with ours:
        yield ours, link
        link.close()


class Reader:
    """The keeper's side: whole batches, their descriptors closed after a look at what they are."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._inbox = batch.Inbox()

    def next_batch(self) -> tuple[dict[str, str], list[Any], list[int]] | None:
        """The texts, the ops and the inode of each descriptor; None when no whole batch is there."""
        while (packet := messages.receive_packet(self._end)) is not None:
            whole = self._inbox.add(*packet)
            if whole is not None:
                inodes = [os.fstat(descriptor).st_ino for descriptor in whole[2]]
                batch.close_all(whole[2])
                return whole[0], whole[1], inodes
        return None


# -- text and requests ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["", "plain", "\0\n\t\"\\'", "żółw \U0001f422 \u2028", bytes(range(128, 256)).decode("utf-8", "surrogateescape")]
)
def test_any_text_survives_the_way(text: str) -> None:
    body = messages.encode({text: [text]})
    assert body.isascii()
    assert messages.decode(body) == {text: [text]}


def test_a_request_leaves_out_what_is_none_and_keeps_the_rest() -> None:
    sent = messages.decode(messages.encode(["spawn", request(nice=0, groups=[], stdin=["null"])]))[1]
    assert sent == {
        "run": 1,
        "unit": "web",
        "phase": "main",
        "path": "/bin/true",
        "argv": ["true"],
        "environment": [],
        "pid_variables": [],
        "working_directory": "/",
        "working_directory_is_optional": False,
        "umask": 0o022,
        "no_new_privileges": False,
        "is_born_in_cgroup": False,
        "nice": 0,
        "groups": [],
        "stdin": ["null"],
    }
    assert SpawnRequest(**sent) == request(nice=0, groups=[], stdin=["null"])


def test_requests_are_equal_by_value_and_show_it() -> None:
    assert request() == request() != request(nice=1)
    assert request() != "request"
    assert "nice=5" in repr(request(nice=5))


def test_what_is_no_word_of_the_link_cannot_be_sent() -> None:
    with pytest.raises(TypeError, match="is no word between keeper and manager"):
        messages.encode({"ops": [object()]})


# -- packets ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, messages.INLINE_LIMIT_BYTES - 100, messages.INLINE_LIMIT_BYTES, 5_000_000])
def test_a_body_of_any_size_arrives(ends: tuple[socket.socket, KeeperLink], size: int) -> None:
    keeper, link = ends
    assert link.send({"text": "x" * size}, [["forget", 1]])
    assert Reader(keeper).next_batch() == ({"text": "x" * size}, [["forget", 1]], [])


@pytest.mark.parametrize("size", [0, 100_000])
@pytest.mark.parametrize("count", [1, 63, 64, 65, 128, 129, 200])
def test_any_number_of_descriptors_arrives_in_order_as_one_batch(ends: tuple[socket.socket, KeeperLink], count: int, size: int) -> None:
    keeper, link = ends
    pipes = [os.pipe() for _ in range(count)]
    before = len(os.listdir("/proc/self/fd"))
    assert link.send({"text": "x" * size}, [["store", str(n), False] for n in range(count)], [read_end for read_end, _ in pipes])
    texts, ops, inodes = Reader(keeper).next_batch() or pytest.fail("no batch")
    assert (len(texts["text"]), len(ops)) == (size, count)
    assert inodes == [os.fstat(read_end).st_ino for read_end, _ in pipes]
    assert len(os.listdir("/proc/self/fd")) == before  # neither end kept one
    for pipe in pipes:
        batch.close_all(list(pipe))


def test_received_descriptors_are_close_on_exec(ends: tuple[socket.socket, KeeperLink]) -> None:
    keeper, link = ends
    with open("/dev/null", "rb") as file:
        link.send({}, [["store", "x", False]], [file.fileno()])
    _, (descriptor,) = messages.receive_packet(keeper) or pytest.fail("no packet")
    assert not os.get_inheritable(descriptor)
    os.close(descriptor)


def test_more_descriptors_than_a_packet_may_have_are_fatal_and_closed(ends: tuple[socket.socket, KeeperLink]) -> None:
    keeper, link = ends
    read_end, write_end = os.pipe()
    bare = socket.socket(fileno=os.dup(link.fileno()))
    with bare:
        messages.send_packet(bare, b"x", [write_end] * (messages.DESCRIPTORS_MAX + 8))
    os.close(write_end)
    with pytest.raises(BadPacket, match="truncated"):
        messages.receive_packet(keeper)
    assert os.read(read_end, 1) == b""
    os.close(read_end)


def test_a_full_link_queues_in_order_and_is_flushed_when_it_has_room(ends: tuple[socket.socket, KeeperLink]) -> None:
    keeper, link = ends
    read_end, write_end = os.pipe()
    count = 0
    while link.send({"number": str(count), "text": "x" * 30_000}, []):
        count += 1
    # Behind the one that waits; what it carries may be closed by the caller at once.
    assert not link.send({"number": "last"}, [["store", "pipe", False]], [write_end])
    os.close(write_end)
    assert (link.has_unsent, link.flush()) == (True, False)
    reader = Reader(keeper)
    numbers: list[str] = []
    while len(numbers) < count + 2:
        link.flush()
        whole = reader.next_batch() or pytest.fail("a batch was lost")
        numbers.append(whole[0]["number"])
    assert numbers == [*map(str, range(count + 1)), "last"]
    assert (link.has_unsent, link.flush_all(limit_s=0)) == (False, True)
    assert os.read(read_end, 1) == b""
    os.close(read_end)


def test_flushing_with_a_limit_gives_up_when_nobody_reads(ends: tuple[socket.socket, KeeperLink]) -> None:
    _, link = ends
    while link.send({"text": "x" * 30_000}, []):
        pass
    assert not link.flush_all(limit_s=0.01)


# -- the manager's end ---------------------------------------------------------------------------------------------------------


def test_the_table_has_runs_by_number_and_stored_descriptors_by_name() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    read_end, write_end = os.pipe()
    os.set_inheritable(read_end, True)
    table = TABLE | {"stored": [["log:web", read_end], ["lock", -1]]}
    environment = {"SUPD_KEEPER_FDS": f"{theirs.detach()},{messages.body_memfd(json.dumps(table).encode(), 'table')}", "A": "b"}
    link = KeeperLink.from_environment(environment)
    assert link is not None
    assert (link.table["runs"], link.stored, environment) == ({7: {"unit": "web"}}, {"log:web": read_end}, {"A": "b"})
    assert not os.get_inheritable(read_end) and not os.get_inheritable(link.fileno())
    link.close()
    ours.close()
    batch.close_all([read_end, write_end])


def test_without_a_keeper_there_is_no_link() -> None:
    assert KeeperLink.from_environment({"PATH": "/bin"}) is None


def test_reports_of_all_packets_come_in_order_and_the_end_after_them(ends: tuple[socket.socket, KeeperLink]) -> None:
    keeper, link = ends
    assert link.receive() == []
    keeper.send(messages.encode([["forked", 1, 2, 3], ["execed", 1]]))
    keeper.send(messages.encode([["signaled", 15]]))
    link.send({"unread": "by the keeper"}, [])
    keeper.close()
    assert link.receive() == [["forked", 1, 2, 3], ["execed", 1], ["signaled", 15]]
    for _ in range(2):
        with pytest.raises(LinkClosed):
            link.receive()
    with pytest.raises(LinkClosed):
        link.send({}, [])


def test_what_a_manager_sent_is_read_although_it_left_reports_unread(ends: tuple[socket.socket, KeeperLink]) -> None:
    keeper, link = ends
    keeper.send(messages.encode([["signaled", 15]]))
    link.send({"last": "words"}, [])
    link.close()
    reader = Reader(keeper)
    with pytest.raises(ConnectionResetError):
        reader.next_batch()
    assert reader.next_batch() == ({"last": "words"}, [], [])
    assert messages.receive_packet(keeper) == (b"", [])


# -- what is no batch ------------------------------------------------------------------------------------------------------------

GOOD_SPAWN = request().as_dict()


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ([], "without the two members"),
        ({"remember": {}}, "without the two members"),
        ({"remember": {}, "ops": [], "more": 1}, "without the two members"),
        ({"remember": [], "ops": []}, "without the two members"),
        ({"remember": {"a": None}, "ops": []}, "that is no text"),
        ({"remember": {}, "ops": ["ready"]}, "unknown operation"),
        ({"remember": {}, "ops": [[]]}, "unknown operation"),
        ({"remember": {}, "ops": [[["ready"]]]}, "unknown operation"),
        ({"remember": {}, "ops": [["explode"]]}, "unknown operation"),
        ({"remember": {}, "ops": [["ready", 1]]}, "wrong arguments"),
        ({"remember": {}, "ops": [["signal", 1]]}, "wrong arguments"),
        ({"remember": {}, "ops": [["signal", 1, "TERM"]]}, "wrong arguments"),
        ({"remember": {}, "ops": [["forget", 1.5]]}, "wrong arguments"),
        ({"remember": {}, "ops": [["drop", None]]}, "wrong arguments"),
        ({"remember": {}, "ops": [["store", "x", False]]}, "1 descriptors to store but 0 came"),
        *(
            ({"remember": {}, "ops": [["spawn", {**GOOD_SPAWN, field: None}]]}, "lacks a field")
            for field in ("run", "unit", "phase", "path", "argv", "environment", "working_directory", "umask")
        ),
    ],
)
def test_what_is_not_in_the_table_of_operations_is_refused_whole(value: object, says: str) -> None:
    with pytest.raises(BadPacket, match=says):
        batch.read(json.dumps(value).encode(), 0)


def test_every_operation_of_the_table_is_read() -> None:
    examples: dict[type, object] = {int: 1, str: "x", bool: True, dict: GOOD_SPAWN}
    ops = [[name, *(examples[kind] for kind in kinds)] for name, kinds in batch.OPS.items()]
    assert batch.read(messages.encode({"remember": {"a": ""}, "ops": ops}), 1) == ({"a": ""}, ops)


def test_an_unreadable_body_is_refused() -> None:
    with pytest.raises(BadPacket, match="no JSON"):
        batch.read(b"\xff", 0)
    with pytest.raises(BadPacket, match="no memfd"):
        batch.Inbox().add(messages.MEMFD_MARK, [])


# -- the keeper's table ----------------------------------------------------------------------------------------------------------


def run_with_facts(table: Table, number: int, *kinds: str) -> Run:
    run = table.runs[number] = Run(number, "web", "main")
    for kind in kinds:
        table.add_fact(run, [kind, number])
    return run


def end(pid: int) -> End:
    return End(pid, 1, "exited", 0, {})


def test_each_fact_is_reported_once_and_in_order() -> None:
    table = Table()
    run = run_with_facts(table, 1, "forked", "execed")
    assert table.take_reports() == [["forked", 1], ["execed", 1]]
    assert not table.has_unsent() and table.take_reports() == []
    table.add_fact(run, ["exited", 1])
    assert table.take_reports() == [["exited", 1]]
    table.repeat(run)
    assert table.take_reports() == [["forked", 1], ["execed", 1], ["exited", 1]]


def test_what_a_new_manager_is_given_is_not_reported_to_it() -> None:
    table = Table()
    table.remember({"a": "b", "c": "d"})
    table.remember({"c": ""})
    run = run_with_facts(table, 1)
    table.add_fact(run, ["forked", 1, 4711, 5])
    table.add_stranger(end(99))
    given = table.for_new_manager()
    assert given["remembered"] == {"a": "b"}
    assert (given["runs"][1]["pid"], given["runs"][1]["reports"]) == (4711, [["forked", 1, 4711, 5]])
    assert given["reaped"] == [["reaped", 1, 99, 1, "exited", 0]]
    assert not table.has_unsent()
    table.add_fact(run, ["execed", 1])
    table.add_stranger(end(100))
    assert table.take_reports() == [["execed", 1], ["reaped", 2, 100, 1, "exited", 0]]


def test_a_packet_of_reports_stays_below_the_inline_limit() -> None:
    table = Table()
    usage = {
        "utime_us": 10**15,
        "stime_us": 10**15,
        "maxrss_kb": 10**12,
        "minflt": 10**12,
        "majflt": 10**12,
        "inblock": 10**12,
        "oublock": 10**12,
    }
    for number in range(10**9, 10**9 + 1000):
        run = run_with_facts(table, number, "forked", "execed")
        table.add_fact(run, ["exited", number, "exited", 255, usage])
        table.add_stranger(end(4194304))
    seen = 0
    while reports := table.take_reports():
        assert len(messages.encode(reports)) < messages.INLINE_LIMIT_BYTES
        seen += len(reports)
    assert seen == 4000


def test_strangers_stay_until_acknowledged_and_the_oldest_go_when_there_are_too_many() -> None:
    table = Table()
    for number in range(STRANGERS_MAX + 10):
        table.add_stranger(end(number + 1))
    reports = []
    while some := table.take_reports():
        assert len(some) <= REPORTS_MAX_PER_PACKET
        reports += some
    assert [report[1] for report in reports] == list(range(11, STRANGERS_MAX + 11))
    table.acknowledge(STRANGERS_MAX + 8)
    assert [report[1] for report in table.for_new_manager()["reaped"]] == [STRANGERS_MAX + 9, STRANGERS_MAX + 10]


def test_strangers_acknowledged_before_they_were_sent_are_not_sent() -> None:
    table = Table()
    for number in range(3):
        table.add_stranger(end(number + 1))
    table.acknowledge(2)
    assert [report[1] for report in table.take_reports()] == [3]
    table.add_stranger(end(9))
    table.acknowledge(4)
    assert table.take_reports() == [] and not table.has_unsent()


def test_a_request_to_stop_is_told_first() -> None:
    table = Table()
    run_with_facts(table, 1, "forked")
    table.signals.append(15)
    assert table.take_reports() == [["signaled", 15], ["forked", 1]]
    assert not table.signals


def test_forgetting_drops_what_is_unsent() -> None:
    table = Table()
    run_with_facts(table, 1, "spawn_failed")
    table.forget(1)
    table.forget(2)
    assert not table.runs and not table.has_unsent()
