"""A web server that speaks sd_notify: READY=1 when it listens, RELOADING=1 and READY=1 around a reload (SIGHUP)."""

import argparse
import http.server
import os
import signal
import socket
import threading
import time
from types import FrameType

from cacheclient import Cache


def notify(text: str) -> None:
    """sd_notify(3) in four lines: a datagram to the socket whose path supd gives us."""
    if path := os.environ.get("NOTIFY_SOCKET"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.sendto(text.encode(), "\0" + path[1:] if path.startswith("@") else path)


def read_message() -> str:
    with open(os.environ["MESSAGE_FILE"], encoding="utf-8") as file:
        return file.read().strip()


class Shop(http.server.BaseHTTPRequestHandler):
    message = ""
    cache: Cache
    cache_lock = threading.Lock()

    def do_GET(self) -> None:
        with self.cache_lock:
            visitor = self.cache.ask("INCR", "visitors")
            article = self.cache.ask("GET", f"article:{int(visitor) % 3}")
            self.cache.ask("PUSH", "jobs", f"pack {article} for visitor {visitor}")
        body = f"{self.message} You are visitor {visitor}, and {article} is on its way.\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        print(f"web: {self.address_string()} {format % args}", flush=True)


def reload(_signal: int, _frame: FrameType | None) -> None:
    # The time lets supd tell this reload's READY=1 from an older one (systemd.service(5), Type=notify-reload).
    notify(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")
    Shop.message = read_message()
    print("web: message read again", flush=True)
    notify(f"READY=1\nSTATUS=Greeting with: {Shop.message}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--cache", required=True, metavar="HOST:PORT")
    options = parser.parse_args()
    Shop.message = read_message()
    Shop.cache = Cache(options.cache)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", options.port), Shop)
    signal.signal(signal.SIGHUP, reload)
    print(f"web: listening on http://127.0.0.1:{options.port}/", flush=True)
    notify(f"READY=1\nSTATUS=Greeting with: {Shop.message}")
    server.serve_forever()
