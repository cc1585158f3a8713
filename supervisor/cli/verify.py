"""verify: check unit files, or a time span, without a daemon. The one verb that loads `supervisor.config`, and only here."""

import os

from supervisor.cli.arguments import UsageError
from supervisor.cli.session import FAILED, OK, Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from supervisor.config.mode import Mode


def verify(session: Session) -> int:
    arguments = session.arguments
    if "calendar" in arguments.options:
        raise UsageError("--calendar is not supported yet: units with timers come with a later version")
    if "timespan" in arguments.options:
        return _timespan(session, arguments.text("timespan"))
    from supervisor.config.check import check

    files = [os.path.abspath(file) for file in arguments.operands]
    mode = _mode(files)
    result = check(mode, files)
    if not files and not result.units:
        session.complain(f"there are no units in {', '.join(mode.unit_directories)}; name the files to check: supctl verify units/*.toml")
    if arguments.is_json:
        session.print_json(result.json())
    else:
        session.out.write(result.text(os.getcwd()))
    return OK if result.is_good else FAILED


def _mode(files: list[str]) -> "Mode":
    """The setting whose rules apply: the system's or the user's for their own directories, a project's for any other file."""
    from supervisor.config import mode

    instance = mode.system() if os.geteuid() == 0 else mode.user(os.environ)
    directories = list(dict.fromkeys(os.path.dirname(file) for file in files))
    if directories:
        return instance if all(directory in instance.unit_directories for directory in directories) else mode.project(directories)
    if os.geteuid() != 0 and os.path.isdir("units"):
        return mode.project(["units"])
    return instance


def problems_of_text(draft: str, path: str) -> list[str]:
    """What would be wrong if the file `draft` stood at `path`; a line each. The other units are those beside `path`."""
    from dataclasses import replace

    from supervisor.config.check import check

    own = os.path.dirname(os.path.abspath(path))
    mode = _mode([os.path.abspath(path)])
    others = (own, *(directory for directory in mode.unit_directories if directory != own))
    result = check(replace(mode, unit_directories=others), [draft])
    return [problem.text(os.path.dirname(draft)) for problem in result.errors]


def _timespan(session: Session, text: str) -> int:
    from supervisor.model.errors import QuantityError
    from supervisor.model.quantities import format_time_span, parse_time_span

    try:
        span_us = parse_time_span(text)
    except QuantityError as error:
        session.complain(f"cannot read the time span {text!r}: {error}")
        return FAILED
    if session.arguments.is_json:
        session.print_json({"usec": span_us})
    else:
        session.out.write(f"{format_time_span(span_us)} ({'no limit' if span_us is None else f'{span_us} us'})")
    return OK
