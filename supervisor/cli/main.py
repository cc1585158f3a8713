"""`supctl`: reads the command line, loads the one module that carries the verb out, turns errors into text and an exit status.

No verb pays for another: a module of verbs is imported when its verb is asked for, and none of those for `status`, `is-active`, `show`,
`start` and `stop` loads more of the standard library than `_socket`, `_json` and `time` (a test counts the modules).
"""

import os
import sys

from supervisor.cli.arguments import Arguments, UsageError, read
from supervisor.client.errors import ApiError, BrokenAnswer, NoDaemon, Unreachable
from supervisor.model.errors import SupdError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from supervisor.cli.session import Session

    Run = Callable[[Session], int]

_MODULE_OF = {
    **dict.fromkeys(("start", "stop", "restart", "try-restart", "reload", "reload-or-restart", "isolate", "list-jobs", "cancel"), "jobs"),
    **dict.fromkeys(("status", "show", "is-active", "is-failed", "is-enabled"), "status"),
    **dict.fromkeys(("list", "tree"), "listing"),
    **dict.fromkeys(("kill", "reset-failed", "scale", "enable", "disable", "mask", "unmask"), "change"),
    **dict.fromkeys(("reload-units", "reexec"), "change"),
    **dict.fromkeys(("why", "events", "version", "wait"), "explain"),
}


def main(argv: "Sequence[str] | None" = None) -> int:
    """Run supctl with these arguments (sys.argv's by default) and return the exit status."""
    try:
        status = _run(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
        return status
    except UsageError as error:
        return _end(2, str(error))
    except Unreachable as error:
        return _end(69, str(error))
    except NoDaemon as error:
        from supervisor.cli.session import how_to_start

        text = str(error)
        return _end(69, text if "\n" in text else f"{text}\n{how_to_start()}")
    except BrokenAnswer as error:
        return _end(69, f"{error}; supd may be on its way up again: try once more")
    except ApiError as error:
        return _end(1, error.message + (f"\n  next: {error.hint}" if error.hint and "`supctl " not in error.message else ""))
    except SupdError as error:
        return _end(1, str(error))
    except BrokenPipeError:
        # Whoever read our output has left (`| head`); nobody is there to be told. Python's own flush at exit must not find the pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        if error.errno is None:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _end(1, f"cannot write its output: {os.strerror(error.errno)}")


def _end(status: int, text: str) -> int:
    sys.stdout.flush()
    from supervisor.cli.screen import Screen
    from supervisor.client.terminal import neutralise

    Screen(sys.stderr).write(neutralise(f"supctl: {text}"))
    return status


def _run(argv: list[str]) -> int:
    if argv[:1] == ["__complete"]:  # no verb of the table: what follows are words of another command line, read by other rules
        from supervisor.cli import complete

        return complete.main(argv[1:])
    arguments = read(argv)
    verb = arguments.verb
    if verb is None or arguments.has("help") or verb.name == "help":
        return _help(arguments)
    if "host" in arguments.options and verb.name != "tui":
        from supervisor.cli import remote

        return remote.run(arguments)
    from supervisor.cli.session import Session

    return _carrier(verb.name)(Session(arguments))


def _help(arguments: Arguments) -> int:
    from supervisor.cli import help

    verb = arguments.verb
    if verb is not None and verb.name == "help" and arguments.operands:
        verb = read([arguments.operands[0], "--help"]).verb
        assert verb is not None  # `read` refuses an unknown one
    elif verb is not None and verb.name == "help" and not arguments.has("help"):
        verb = None
    sys.stdout.write((help.overview() if verb is None else help.of_verb(verb)) + "\n")
    return 0


def _carrier(verb: str) -> "Run":
    """The function of a verb. Each module is imported by a name that stands here, never by one from the command line."""
    module = _MODULE_OF.get(verb)
    if module == "jobs":
        from supervisor.cli import jobs

        return jobs.RUN[verb]
    if module == "status":
        from supervisor.cli import status

        return status.RUN[verb]
    if module == "listing":
        from supervisor.cli import listing

        return listing.RUN[verb]
    if module == "change":
        from supervisor.cli import change

        return change.RUN[verb]
    if module == "explain":
        from supervisor.cli import explain

        return explain.RUN[verb]
    return _rarer(verb)


def _rarer(verb: str) -> "Run":
    if verb == "logs":
        from supervisor.cli import logs

        return logs.logs
    if verb == "apply":
        from supervisor.cli import apply

        return apply.apply
    if verb == "shutdown":
        from supervisor.cli import shutdown

        return shutdown.shutdown
    if verb == "history":
        from supervisor.cli import history

        return history.history
    if verb == "top":
        from supervisor.cli import top

        return top.top
    if verb == "tui":
        from supervisor.cli import tui

        return tui.tui
    if verb == "verify":
        from supervisor.cli import verify

        return verify.verify
    if verb == "completion":
        from supervisor.cli import completion

        return completion.completion
    from supervisor.cli import files

    return files.RUN[verb]


if __name__ == "__main__":
    sys.exit(main())
