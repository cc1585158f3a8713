"""A unit that does not exist: is its file there and full of errors, or was another name meant?

Asked only once supd has refused a name, so that it costs nothing where all is well.
"""

import os

from supervisor.cli.session import Session
from supervisor.model.errors import SupdError

ERRORS_MAX = 5


def advise(session: Session, name: str) -> None:
    """Say below a complaint what is known about `name`: the errors of its file, the nearest unit, or where to look."""
    try:
        template = name.partition("@")[0] + "@"
        errors = [error for error in session.client.status().get("load_errors") or [] if unit_of(error) in (name, template)]
        if errors:
            from supervisor.cli.status import error_line

            for error in errors[:ERRORS_MAX]:
                session.advise(error_line(error), "because")
            session.advise("correct the file, then supctl reload-units")
            return
        known = [str(unit["id"]) for unit in session.client.units()]
    except SupdError:
        known = []  # the complaint itself has been made
    from difflib import get_close_matches

    near = get_close_matches(name, [other for other in known if other != name], 3, 0.6)  # it is a unit where a template was asked for
    session.advise(f"did you mean {' or '.join(near)}?" if near else "supctl list shows every unit")


def unit_of(error: object) -> str:
    """The unit whose file, or whose drop-in, a load error stands in."""
    path = str(error.get("file", "")) if isinstance(error, dict) else ""
    directory, name = os.path.split(path)
    drop_in_of = os.path.basename(directory)
    return (drop_in_of if drop_in_of.endswith(".toml.d") else name).removesuffix(".d").removesuffix(".toml")
