"""Another program gets the terminal for a while: an editor, a pager.

Invariant: whatever becomes of the program, the screen comes back. Textual's `suspend` gives the terminal back only when its block ends
without an exception, so nothing is raised inside it. The loop, the connection and the logs go on meanwhile. Never: uses a shell.
"""

import asyncio

from textual.app import App


async def run_in_terminal(app: App[None], *words: str) -> int:
    """The exit status of the program, once it ended. Raises OSError or ValueError when it does not start, SuspendNotSupported."""
    failure: BaseException | None = None
    status = 0
    with app.suspend():
        try:
            process = await asyncio.create_subprocess_exec(*words)
            status = await process.wait()
        except BaseException as error:  # a cancellation too; raised again below
            failure = error
    if failure is not None:
        raise failure
    return status
