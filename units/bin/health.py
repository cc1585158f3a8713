"""Answers 200 on /healthz while it is well, 503 while the file `sick` lies in its runtime directory."""

import argparse
import http.server
import os

SICK_FILE = os.path.join(os.environ.get("RUNTIME_DIRECTORY", "."), "sick")


class Patient(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        is_sick = os.path.exists(SICK_FILE)
        if is_sick:
            print("health: not well", flush=True)
        body = b"sick\n" if is_sick else b"well\n"
        self.send_response(503 if is_sick else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Silent: a health check every two seconds is no news."""


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    server = http.server.HTTPServer(("127.0.0.1", port), Patient)
    print(f"health: listening on 127.0.0.1:{port}", flush=True)
    server.serve_forever()
