"""tui: the terminal UI, of this machine's supd or another's, on the terminal or in a browser. It is loaded only once a supd answers."""

import os
import sys

from supervisor.cli.arguments import UsageError, words
from supervisor.cli.session import FAILED, OK, Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from supervisor.client.discovery import Place
    from supervisor.client.forward import Forward

_OF_THE_SERVER = ("web", "port")


def tui(session: Session) -> int:
    arguments = session.arguments
    if "port" in arguments.options and not arguments.has("web"):
        raise UsageError("--port is for --web: supctl tui --web --port N")
    is_in_browser = os.environ.get("TEXTUAL_DRIVER", "").endswith(":WebDriver")  # we are what `--web` started for one tab
    is_terminal = sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    if not (is_terminal or is_in_browser or arguments.has("web")):
        session.complain("cannot show the screen: this is not a terminal that can be painted on")
        session.advise("supctl status for one look, supctl list --watch for a table that follows")
        return FAILED
    if "host" in arguments.options:
        return _of_another_host(session)
    session.client.version()  # nobody there, or nothing for us: told as by every other verb
    return _serve(session) if arguments.has("web") else _show(session, session.client.place)


def _show(session: Session, place: "Place", label: str = "", reach: "Callable[[], Awaitable[None]] | None" = None) -> int:
    from supervisor.tui.main import run

    arguments = session.arguments
    trouble = run(
        place,
        label=label,
        reach=reach,
        unit=arguments.operands[0] if arguments.operands else None,
        is_read_only=arguments.has("read_only"),
        theme=arguments.text("theme"),
        ascii=arguments.has("ascii"),
    )
    if trouble:
        session.complain(trouble)
        return FAILED
    return OK


def _of_another_host(session: Session) -> int:
    """The first connection may ask for a password, while the terminal is still a person's to type on."""
    import asyncio

    from supervisor.client.forward import Forward

    arguments = session.arguments
    there = Forward(arguments.text("host"), arguments.text("socket"))
    try:
        asyncio.run(there.ensure(may_ask=sys.stdin.isatty()))
        _must_answer(there)
        if arguments.has("web"):
            arguments.options["socket"] = there.remote_socket  # found once; each tab has an ssh of its own
            return _serve(session)
        return _show(session, there.place, there.host, there.ensure)
    finally:
        there.close()


def _must_answer(there: "Forward") -> None:
    """ssh connects to the socket there only when we do: one that nobody listens at ends our connection without a word."""
    from supervisor.client.connection import Exchange
    from supervisor.client.errors import BrokenAnswer, Unreachable

    try:
        answer = Exchange(there.place, "GET", "/v1/version").answer()
    except BrokenAnswer:
        raise Unreachable(f"no supd answers at {there.remote_socket} on {there.host}; see there with `supctl version`") from None
    assert answer is not None  # it waits for as long as it may, or raises
    answer.value()


def _serve(session: Session) -> int:
    try:
        from supervisor.tui.web import PortTaken, serve
    except ImportError as error:
        session.complain(f"cannot serve the screen to a browser: {error.name} is not installed")
        session.advise(f"{sys.executable} -m pip install '{_wanted_package()}'")
        return FAILED
    arguments = session.arguments
    # -P: a directory named `supervisor` where we stand is not what is meant.
    command = [sys.executable, "-P", "-m", "supervisor.cli.main", *words(arguments, without=_OF_THE_SERVER)]
    port = arguments.number("port", 0)
    try:
        serve(command, port, arguments.text("host", "supd"), lambda address: _announce(session, address))
    except PortTaken as error:
        session.complain(f"cannot serve the screen on port {port} of 127.0.0.1: {error}")
        session.advise("another one with --port N, or a free one without")
        return FAILED
    return OK


def _announce(session: Session, address: str) -> None:
    may = "look" if session.arguments.has("read_only") else "do what you can"
    session.out.write(address, f"Whoever has this address can {may}, from this machine alone. Ctrl-C ends it and every tab.")
    session.out.stream.flush()


def _wanted_package() -> str:
    """The requirement of our extra `web`, as the installed package has it."""
    from importlib.metadata import requires

    wanted = [line.partition(";")[0].strip() for line in requires("supd") or () if line.startswith("textual-serve")]
    return wanted[0] if wanted else "textual-serve"
