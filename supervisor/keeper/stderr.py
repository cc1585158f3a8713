"""What the keeper says to a person. It never waits: a line that a full terminal or pipe will not take is lost."""

import os
import select


def say(text: str) -> None:
    """Write one line to standard error if that takes it now."""
    line = f"supd: {text}\n".encode("utf-8", "replace")[: select.PIPE_BUF]
    try:
        poll = select.poll()
        poll.register(2, select.POLLOUT)
        if poll.poll(0):
            os.write(2, line)
    except OSError:
        pass  # nobody listens; the keeper has better things to do than to mind
