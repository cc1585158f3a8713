"""B8 reading a large log: the last lines since a moment, and a search, with no daemon running.

The log is made as supd leaves it: segments of 128 MiB of 100-byte lines, an index entry every 10 KiB.
start_ms   `supctl logs` of a log of one line: what any answer costs
since_ms   `supctl logs --since` a moment 100 lines before the end, and `--run`-less `-n 10` from the end
grep_s     `supctl logs --grep` of a word that stands in one line, and grep(1) of the same over the same files
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

from .measure import Results
from .peers import Supd

LINE_BYTES = 100
WRITE = """
import sys
from supervisor.client.logfile import segment_name
from supervisor.client.logindex import Entry, name_of
directory, mib = sys.argv[1], int(sys.argv[2])
line = 0
for sequence in range(1, (mib + 127) // 128 + 1):
    size = 0
    with open(f"{directory}/{segment_name(sequence)}", "wb") as text, open(f"{directory}/{name_of(sequence)}", "wb") as index:
        while size < min(128, mib - 128 * (sequence - 1)) << 20:
            index.write(Entry(size, 1_700_000_000_000_000 + line * 1000).pack())
            block = b"".join(b"%098d.\\n" % n for n in range(line, line + 100))
            text.write(block)
            size += len(block)
            line += 100
print(line)
"""


def options(p: argparse.ArgumentParser) -> None:
    p.add_argument("--mib", type=int, default=1024)


def _took_s(argv: list[str], environment: dict[str, str]) -> tuple[float, bytes]:
    begin_s = time.monotonic()
    ran = subprocess.run(argv, env=environment, capture_output=True, check=True)
    return time.monotonic() - begin_s, ran.stdout


def run(args: argparse.Namespace, peers: list[str]) -> None:
    res = Results("b8", vars(args), args.tag)
    supctl = str(Supd.bin / "supctl")
    with tempfile.TemporaryDirectory() as made:
        directory = Path(made) / "logs" / "big"
        directory.mkdir(parents=True)
        (Path(made) / "logs" / "small").mkdir()
        (Path(made) / "logs" / "small" / "00000001.log").write_bytes(b"one line\n")
        lines = int(subprocess.check_output([str(Supd.bin / "python3"), "-c", WRITE, str(directory), str(args.mib)]))
        environment = {**os.environ, "SUPD_SOCKET": f"{made}/supd.sock"}
        moment = f"@{(1_700_000_000_000_000 + (lines - 100) * 1000) / 1e6:.6f}"
        word = f"{lines // 2:098d}"
        files = sorted(str(path) for path in directory.glob("*.log"))
        for rep in range(args.reps):
            start_s, _ = _took_s([supctl, "logs", "small", "-o", "cat"], environment)
            since_s, since = _took_s([supctl, "logs", "big", "--since", moment, "-o", "cat"], environment)
            last_s, last = _took_s([supctl, "logs", "big", "-n", "10", "-o", "cat"], environment)
            own_s, own = _took_s([supctl, "logs", "big", "--grep", word, "-o", "cat"], environment)
            grep_s, grep = _took_s(["grep", "-h", word, *files], {**environment, "LC_ALL": "C"})
            assert since.count(b"\n") == 100 and last.count(b"\n") == 10 and own == grep, "not what was looked for"
            sample = {"start_ms": start_s * 1e3, "since_ms": since_s * 1e3, "last_ms": last_s * 1e3, "grep_own_s": own_s, "grep_s": grep_s}
            print(json.dumps({key: round(value, 3) for key, value in sample.items()}))
            res.add(peer="supd", rep=rep, ok=True, mib=args.mib, **sample)
