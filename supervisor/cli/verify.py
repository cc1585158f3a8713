"""verify: check unit files, or a time span, without a daemon. The one verb that loads `supervisor.config`, and only here."""

import os

from supervisor.cli.arguments import UsageError
from supervisor.cli.session import FAILED, OK, Session


def verify(session: Session) -> int:
    arguments = session.arguments
    if "calendar" in arguments.options:
        raise UsageError("--calendar is not supported yet: units with timers come with a later version")
    if "timespan" in arguments.options:
        return _timespan(session, arguments.text("timespan"))
    from supervisor.config.check import check
    from supervisor.config.draft import mode_of

    files = [os.path.abspath(file) for file in arguments.operands]
    mode = mode_of(files)
    result = check(mode, files)
    if not files and not result.units:
        session.complain(f"there are no units in {', '.join(mode.unit_directories)}; name the files to check: supctl verify units/*.toml")
    if arguments.is_json:
        session.print_json(result.json())
    else:
        session.out.write(result.text(os.getcwd()))
    return OK if result.is_good else FAILED


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
