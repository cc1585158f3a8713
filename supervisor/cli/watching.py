"""list --watch: the same page again whenever something has happened. Nothing is asked while nothing happens.

A burst of events costs one look: what happened before the last look is in it already.
"""

import time

from supervisor.cli.session import Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

PAUSE_S = 0.1  # between two looks, so that a storm of events is not a storm of questions
_CLEAR = "\x1b[H\x1b[2J"


def show_again(session: Session, show: "Callable[[], int]") -> int:
    """Show now and after each event, for ever; on a terminal in place, otherwise one below the other."""
    stream = session.client.events()
    next(stream)  # we are a reader now: what changes after the first look is told
    is_first = True
    while True:
        looked_s = time.time()
        if session.out.is_terminal:
            session.out.stream.write(_CLEAR)
        elif not is_first and not session.arguments.is_json:
            session.out.write("")
        status = show()
        session.out.stream.flush()
        is_first = False
        for event in stream:
            if event is not None and (event.get("time_s") or looked_s) >= looked_s:
                break
        else:
            return status
        time.sleep(PAUSE_S)
