"""Several peers at once, each with n idle services: for what is measured on supervisors that have settled."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from .adapter import Adapter
from .cage import SVC
from .measure import Stamps, workspace
from .peers import PEERS


def idle(stamps: str, i: int) -> list[str]:
    return [SVC, "idle", f"s{i:04d}", stamps]


@contextmanager
def fleet(peers: list[str], n: int, log: bool = False) -> Iterator[dict[str, tuple[Adapter, Stamps]]]:
    """Boot every peer; those that do not boot are named and left out."""
    with ExitStack() as stack:
        live: dict[str, tuple[Adapter, Stamps]] = {}
        for name in peers:
            directory, stamps = stack.enter_context(workspace(f"fleet-{name}"))
            a = PEERS[name](directory)
            stack.callback(a.stop)
            a.prepare(n, partial(idle, str(stamps.path)), log)
            a.start()
            if a.booted(stamps, 0.01):
                live[name] = (a, stamps)
            else:
                print(f"{name}: did not boot {n} services: {a.complaint()}")
        yield live
