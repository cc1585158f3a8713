"""A manager for the keeper's tests: it does what the test tells it over a Unix socket, and tells the test what it hears.

Lines of JSON each way. From the test: {"remember":, "ops":, "descriptors": n} sends a batch with the first n descriptors
that came along; {"raw": text} sends a packet as it is; {"ahead": true} sends the descriptors ahead of a batch;
{"pause": bool} stops reading the link; {"exit": n} leaves. To the test: first {"hello": ...}, then {"reports": [...]},
{"sent": bool}, {"closed": true}.
"""

import json
import os
import select
import socket
import sys

from supervisor.daemon.link import KeeperLink, LinkClosed
from supervisor.keeper.messages import MORE_MARK, send_packet


def link_socket(link: KeeperLink) -> socket.socket:
    """The bare socket, for packets that the link would never send."""
    return socket.socket(fileno=os.dup(link.fileno()))


def main() -> None:
    link = KeeperLink.from_environment()
    assert link is not None
    control = socket.socket(socket.AF_UNIX)
    control.connect(sys.argv[1])
    stored = {
        name: [os.readlink(f"/proc/self/fd/{number}"), os.get_inheritable(number), os.fstat(number).st_ino]
        for name, number in link.stored.items()
    }

    def tell(message: dict[str, object]) -> None:
        control.sendall(json.dumps(message).encode() + b"\n")

    tell(
        {
            "hello": {
                "table": link.table,
                "stored": stored,
                "pid": os.getpid(),
                "session": os.getsid(0),
                "variables": sorted(name for name in os.environ if name.startswith("SUPD_")),
                "descriptors": len(os.listdir("/proc/self/fd")),
            }
        }
    )
    descriptors: list[int] = []
    is_paused = False
    rest = b""
    while True:
        watched: list[int] = [control.fileno()] if is_paused else [control.fileno(), link.fileno()]
        readable, writable, _ = select.select(watched, [link.fileno()] if link.has_unsent else [], [])
        if writable and link.flush():
            tell({"sent": True})
        if link.fileno() in readable:
            try:
                reports = link.receive()
            except LinkClosed:
                tell({"closed": True})
                return
            if reports:
                tell({"reports": reports})
        if control.fileno() in readable:
            data, came, _, _ = socket.recv_fds(control, 1 << 20, 253)
            if not data:
                return
            descriptors += came
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                command = json.loads(line)
                if "ops" in command:
                    own = [descriptors.pop(0) for _ in range(command["descriptors"])]
                    tell({"sent": link.send(command["remember"], command["ops"], own)})
                    for number in own:
                        os.close(number)
                elif "raw" in command:
                    link_socket(link).send(command["raw"].encode())
                elif "ahead" in command:
                    own, descriptors = descriptors, []
                    assert send_packet(link_socket(link), MORE_MARK, own)
                    tell({"sent": True})
                elif "pause" in command:
                    is_paused = command["pause"]
                else:
                    sys.exit(command["exit"])


main()
