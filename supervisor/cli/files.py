"""cat and edit: the files that make a unit. An edited file is checked before it replaces the one in use."""

import os

from supervisor.cli.session import FAILED, OK, Session
from supervisor.client.errors import ApiError
from supervisor.client.terminal import neutralise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Json = dict[str, Any]


def cat(session: Session) -> int:
    status, found = OK, []
    for name in session.names():
        try:
            found.append(session.client.definition(name))
        except ApiError as error:
            session.refused(f"show the files of {name}", error)
            status = FAILED  # systemctl's, for cat
    wants_origins = session.arguments.has("origins")
    if wants_origins or session.arguments.is_json:
        from supervisor.cli import origins
    if session.arguments.is_json:
        found = [{**definition, "values": origins.values(definition)} for definition in found]
        session.print_json(found[0] if len(session.arguments.operands) == 1 and found else found)
        return status
    for index, definition in enumerate(found):
        if index:
            session.out.write("")
        if wants_origins:
            if len(found) > 1:
                session.out.write(session.out.paint(f"# {definition['unit']}", "grey"))
            origins.show(session.out, definition)
        else:
            _texts(session, definition)
    return status


def _texts(session: Session, definition: "Json") -> None:
    for number, file in enumerate(definition["files"]):
        if number:
            session.out.write("")
        session.out.write(session.out.paint(f"# {neutralise(str(file['path']))}", "grey"))
        text = str(file["text"])
        session.out.write((neutralise(text) if session.out.is_terminal else text).removesuffix("\n"))


def edit(session: Session) -> int:
    """Open the unit's own file in an editor; keep the result only if it is valid, then have supd read it."""
    name = session.arguments.operands[0]
    try:
        files = session.client.definition(name)["files"]
    except ApiError as error:
        return session.refused(f"edit {name}", error)
    if not files:
        session.complain(f"cannot edit {name}: it has no file")
        return FAILED
    path = str(files[0]["path"])
    if session.client.peer_uid != os.geteuid():
        owner = session.client.peer_uid
        session.complain(f"cannot edit {name}: this supd runs as uid {owner}, and paths sent by others are not opened")
        session.err.write(f"  next: edit {path} as uid {owner}")
        return FAILED
    kept = _edited(session, path)
    if kept is None:
        return FAILED
    if not kept:
        session.err.write(f"{path} is unchanged.")
        return OK
    from supervisor.cli.change import reload_units

    status = reload_units(session)
    if status == OK and session.client.show(name).get("needs_restart"):
        session.out.write(f"{name} goes on as it was started; supctl restart {name} makes the change effective.")
    return status


def _edited(session: Session, path: str) -> bool | None:
    """True when `path` was replaced, False when nothing was changed, None when what was written is not valid or could not be kept."""
    import shutil
    import tempfile

    from supervisor.config.draft import problems_of_text, put_in_place

    with open(path, encoding="utf-8") as file:
        before = file.read()
    with tempfile.TemporaryDirectory(prefix="supctl-") as directory:
        draft = os.path.join(directory, os.path.basename(path))
        shutil.copyfile(path, draft)
        while True:
            if _run_editor(draft) != 0:
                session.complain(f"the editor failed; {path} is unchanged")
                return None
            with open(draft, encoding="utf-8", errors="surrogateescape") as file:
                after = file.read()
            if after == before:
                return False
            found = problems_of_text(draft, path)
            if not found:
                break
            session.complain("this would not load:")
            session.err.write(*[f"  {line}" for line in found])
            if not _wants_again():
                session.err.write(f"{path} is unchanged.")
                return None
        put_in_place(path, after)
    return True


def _run_editor(path: str) -> int:
    import shlex
    import subprocess

    words = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    try:
        return subprocess.run([*words, path], check=False).returncode
    except OSError:
        return 127


def _wants_again() -> bool:
    try:
        return input("Edit again? [Y/n] ").strip().lower() in ("", "y", "yes")
    except EOFError:
        return False


RUN = {"cat": cat, "edit": edit}
