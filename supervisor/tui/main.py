"""The one door of the terminal UI: from what a person asked for to the app that runs."""

import os
import sys
from collections.abc import Awaitable, Callable

from supervisor.client.charset import given_environ
from supervisor.client.discovery import Place
from supervisor.tui import themes
from supervisor.tui.app import SupdApp
from supervisor.tui.charset import has_symbols, is_utf8, write_ascii
from supervisor.tui.link.http import HttpTransport
from supervisor.tui.settings import keys_path, read_state, state_path


def run(
    place: Place,
    *,
    label: str = "",
    reach: Callable[[], Awaitable[None]] | None = None,
    unit: str | None = None,
    is_read_only: bool = False,
    theme: str = "",
    ascii: bool = False,
) -> str:
    """Show the supd at `place` until the person leaves. Returns "", or why nothing could be shown, as a clause.

    `reach` sees to it, before each connection, that there is something at the place to connect to.
    """
    known = themes.names()
    if theme and theme not in known:
        return f"cannot use the theme {theme!r}: there is none of that name; there are {', '.join(known)}"
    environ = given_environ()
    if not is_utf8(environ) and sys.__stderr__ is not None:
        write_ascii(sys.__stderr__)  # where Textual draws
    app = SupdApp(
        HttpTransport(place, label or label_of(place), reach),
        settings=read_state(state_path(os.environ)),
        keys_path=keys_path(os.environ),
        is_read_only=is_read_only,
        is_remote=place.is_forwarded,
        ascii=ascii or not has_symbols(environ),
        theme=theme,
        unit=unit,
    )
    app.run()
    return ""


def label_of(place: Place) -> str:
    """What the supd is called on the screen: the project's directory, or what the place says it is."""
    directory, name = os.path.split(os.path.abspath(place.path))
    if os.path.basename(directory) == ".supd":
        return os.path.basename(os.path.dirname(directory))
    return "system" if place.origin == "the system's instance" else "user" if place.origin == "the user's instance" else name
