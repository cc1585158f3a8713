"""What the manager may ask for: a table. A batch is read as a whole or not at all; anything else is fatal to its link."""

import os
from typing import Any

from supervisor.keeper import messages

Op = list[Any]

# Name to the types of its arguments. bool is an int in Python; where the table says int, true is as good as 1.
OPS: dict[str, tuple[type, ...]] = {
    "spawn": (dict,),
    "signal": (int, int),
    "store": (str, bool),
    "drop": (str,),
    "forget": (int,),
    "ack": (int,),
    "ready": (),
    "journal": (str,),
    "reexec": (),
    "echo": (int,),
    "told_emptied": (dict,),
    "pumping": (),
    "leave": (int,),
}
SPAWN_FIELDS: dict[str, type] = {
    "run": int,
    "unit": str,
    "phase": str,
    "path": str,
    "argv": list,
    "environment": list,
    "working_directory": str,
    "umask": int,
}


def read(body: bytes, descriptors: int) -> tuple[dict[str, str], list[Op]]:
    """The remembered texts and the ops of one batch that came with this many descriptors.

    Raises messages.BadPacket with a sentence when any part of it is not as the table says.
    """
    batch = messages.decode(body)
    match batch:
        case {"remember": dict(remembered), "ops": list(ops)} if len(batch) == 2:
            pass
        case _:
            raise messages.BadPacket("a batch without the two members remember and ops")
    if not all(isinstance(text, str) for text in remembered.values()):
        raise messages.BadPacket("a text to remember that is no text")
    for op in ops:
        _check(op)
    wanted = sum(op[0] == "store" for op in ops)
    if wanted != descriptors:
        raise messages.BadPacket(f"{wanted} descriptors to store but {descriptors} came")
    return remembered, ops


def _check(op: object) -> None:
    if not (isinstance(op, list) and op and isinstance(op[0], str) and op[0] in OPS):
        raise messages.BadPacket(f"an unknown operation: {op!r:.200}")
    types = OPS[op[0]]
    if len(op) != len(types) + 1 or not all(isinstance(value, kind) for value, kind in zip(op[1:], types, strict=True)):
        raise messages.BadPacket(f"an operation with wrong arguments: {op!r:.200}")
    if op[0] == "spawn" and not all(isinstance(op[1].get(field), kind) for field, kind in SPAWN_FIELDS.items()):
        raise messages.BadPacket(f"a spawn request that lacks a field: {op[1]!r:.200}")


class Inbox:
    """The keeper's reading end of one link: puts batches together from packets, memfds and descriptors sent ahead."""

    def __init__(self) -> None:
        self._ahead: list[int] = []

    def add(self, body: bytes, descriptors: list[int]) -> tuple[dict[str, str], list[Op], list[int]] | None:
        """A whole batch with its descriptors, or None while more is to come. BadPacket closes what came with it."""
        self._ahead += descriptors
        if body == messages.MORE_MARK:
            return None
        came = self._ahead
        self._ahead = []
        try:
            if body == messages.MEMFD_MARK:
                # The memfd is the first of its own packet, behind those sent ahead.
                body = self._take_memfd(came, len(descriptors))
            remembered, ops = read(body, len(came))
        except BaseException:
            close_all(came)
            raise
        return remembered, ops, came

    @staticmethod
    def _take_memfd(came: list[int], own: int) -> bytes:
        if not own:
            raise messages.BadPacket("the mark of a memfd and no memfd")
        memfd = came.pop(len(came) - own)
        try:
            return messages.read_body(memfd)
        finally:
            os.close(memfd)

    def close(self) -> None:
        """The link is gone: descriptors whose batch never came are closed."""
        close_all(self._ahead)
        self._ahead = []


def close_all(descriptors: list[int]) -> None:
    """Close each."""
    for descriptor in descriptors:
        os.close(descriptor)
