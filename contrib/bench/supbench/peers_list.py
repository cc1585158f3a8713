"""Which peers are here, and their versions."""

import argparse
import tempfile
from pathlib import Path

from .peers import PEERS


def options(p: argparse.ArgumentParser) -> None:
    """It has none of its own."""


def run(args: argparse.Namespace, peers: list[str]) -> None:
    for name in peers:
        a = PEERS[name](Path(tempfile.gettempdir()))
        print(f"{name:16} {a.version():28} {a.note}")
