"""tui: the terminal UI. Nothing else of supctl loads it, and it is loaded only once a supd answers."""

import os
import sys

from supervisor.cli.session import FAILED, OK, Session


def tui(session: Session) -> int:
    if not (sys.stdin.isatty() and sys.stdout.isatty()) or os.environ.get("TERM", "dumb") == "dumb":
        session.complain("cannot show the screen: this is not a terminal that can be painted on")
        session.advise("supctl status for one look, supctl list --watch for a table that follows")
        return FAILED
    session.client.version()  # nobody there, or nothing for us: told as by every other verb
    from supervisor.tui.main import run

    arguments = session.arguments
    trouble = run(
        session.client.place,
        unit=arguments.operands[0] if arguments.operands else None,
        is_read_only=arguments.has("read_only"),
        theme=arguments.text("theme"),
        ascii=arguments.has("ascii"),
    )
    if trouble:
        session.complain(trouble)
        return FAILED
    return OK
