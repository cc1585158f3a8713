"""What the keeper says to a person, on standard error and in supd's own log. It never waits: what will not be taken now is lost."""

import os
import select

OWN_LOG = "log:supd"  # the stored pipe of supd's own log
log_descriptor = -1  # that pipe, once it is stored; it never blocks


def say(text: str) -> None:
    """Write one line to whoever takes it now."""
    if log_descriptor >= 0:
        try:
            os.write(log_descriptor, f"warning: {text}\n".encode("utf-8", "replace")[: select.PIPE_BUF])
        except OSError:
            pass  # full: the words are on standard error
    line = f"supd: {text}\n".encode("utf-8", "replace")[: select.PIPE_BUF]
    try:
        poll = select.poll()
        poll.register(2, select.POLLOUT)
        if poll.poll(0):
            os.write(2, line)
    except OSError:
        pass  # nobody listens; the keeper has better things to do than to mind
