"""Text to specification: unit files, drop-ins, overrides, and the store of checked sets.

`load_units` gives the stored set while nothing has changed, and uses the parsers otherwise; `aside.Loading`, which the manager starts with,
has another process use them. `check` is what `supd --check` and `supctl verify` call. All import what they need when they need it: a boot
from the store loads no parser and no pydantic.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from supervisor.config.check import CheckResult
    from supervisor.config.mode import Mode
    from supervisor.config.result import LoadResult


def load_units(mode: "Mode") -> "LoadResult":
    """The units of `mode`, from the specification store if it still holds, else from their files; a good set is stored.

    A store that cannot be read or written is never an error: it only saves time.
    """
    from supervisor.config import store

    stored = store.read(mode)
    if stored is not None:
        return stored
    from supervisor.config.load import load

    loaded = load(mode)
    if not loaded.errors:
        store.write(loaded)
    return loaded


def check(mode: "Mode", files: "Sequence[str]" = ()) -> "CheckResult":
    """Everything that is wrong with the units of `mode`; with `files`, with these files and the units beside them."""
    from supervisor.config.check import check as check_now

    return check_now(mode, files)
