"""`talk LOG UNIT TAG WORD...`: a program that speaks sd_notify(3), for scenarios. Runs outside the package, with the standard library.

Words, in order: `KEY=VALUE[,KEY=VALUE]` sends one datagram, `child:...` sends it from a child, `parent-pid` sends MAINPID of our parent,
`forked-main` forks a child that lives on and sends its MAINPID (`forked-main:S`: it leaves with 7 after S seconds), `sleep:S`,
`exit:N`, `kill:N`, `block`. In a value `@mono` is CLOCK_MONOTONIC in microseconds.
"""

import os
import signal
import socket
import sys
import time

log, unit, tag, *words = sys.argv[1:]


def say(text: str) -> None:
    with open(log, "a", encoding="utf-8") as file:
        file.write(f"{time.monotonic():.2f} {unit} {text}\n")


def send(text: str) -> None:
    text = text.replace(",", "\n").replace("@mono", str(time.monotonic_ns() // 1000))
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        say("no-notify-socket")
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.connect("\0" + address[1:] if address.startswith("@") else address)
        sock.send(text.encode())


def live_on(span_s: str) -> int:
    """A child that does nothing until it is killed, or until so many seconds are over."""
    pid = os.fork()
    if not pid:
        if span_s:
            time.sleep(float(span_s))
            os._exit(7)
        signal.pause()
        os._exit(0)
    return pid


def do(word: str) -> None:
    head, _, rest = word.partition(":")
    if head == "sleep":
        time.sleep(float(rest))
    elif head == "exit":
        os._exit(int(rest))
    elif head == "kill":
        os.kill(os.getpid(), int(rest))
    elif head == "block":
        while True:
            signal.pause()
    elif head == "child":
        if not (pid := os.fork()):
            send(rest)
            time.sleep(0.3)  # systemd looks the sender up by its pid: it has to be there still
            os._exit(0)
        os.waitpid(pid, 0)
    elif head == "forked-main":
        send(f"MAINPID={live_on(rest)}")
    elif head == "parent-pid":
        send(f"MAINPID={os.getppid()}")
    else:
        send(word)


say(tag)
for each in words:
    do(each)
