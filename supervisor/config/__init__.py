"""Text to specification: unit files, drop-ins, overrides, and the store of checked sets.

`load_units` is what the manager calls at its start: the stored set while nothing has changed, the parsers otherwise. `check` is what
`supd --check` and `supctl verify` call. Both import what they need when they need it: a boot from the store loads no parser and no
pydantic, and one that reads the files lets another process load them.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from supervisor.config.check import CheckResult
    from supervisor.config.mode import Mode
    from supervisor.config.result import LoadResult


def load_units(mode: "Mode", *, is_read_aside: bool = False) -> "LoadResult":
    """The units of `mode`, from the specification store if it still holds, else from their files; a good set is stored.

    A store that cannot be read or written is never an error: it only saves time. `is_read_aside`, for a process of one thread: another
    process reads the files, and with it the parsers go.
    """
    from supervisor.config import store

    stored = store.read(mode)
    if stored is not None:
        return stored
    if is_read_aside:
        from supervisor.config import aside

        if (told := aside.load(mode)) is not None:
            if not told[0].errors:
                store.write_text(told[1], mode)
            return told[0]
    from supervisor.config.load import load

    loaded = load(mode)
    if not loaded.errors:
        store.write(loaded)
    return loaded


def check(mode: "Mode", files: "Sequence[str]" = ()) -> "CheckResult":
    """Everything that is wrong with the units of `mode`; with `files`, with these files and the units beside them."""
    from supervisor.config.check import check as check_now

    return check_now(mode, files)
