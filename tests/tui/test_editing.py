"""`e`: the file in an editor, mistakes, the difference, saving, the plan; and that no text is ever lost."""

import asyncio
import contextlib
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from supervisor.config.draft import put_in_place
from supervisor.tui.app import SupdApp
from supervisor.tui.modals.review import Review
from supervisor.tui.model import edits
from supervisor.tui.widgets.textlines import TextLines
from tests.tui.briefs import brief
from tests.tui.pilot import make_app, press, ready, settled, supd_of, until

GOOD = '[service]\nexec_start = "sleep 1000"\n'
BETTER = '[service]\nexec_start = "sleep 2000"\n'
BAD = '[service]\nexec_start = "sleep 1000"\nrestart = "allways"\n'


def text_of(lines: Any) -> list[str]:
    return ["".join(one.text for one in line).rstrip() for line in lines]


def test_a_difference_shows_what_changed_and_acts_on_no_terminal() -> None:
    assert text_of(edits.diff_lines(GOOD, BETTER))[1:] == [" [service]", '-exec_start = "sleep 1000"', '+exec_start = "sleep 2000"']
    assert all(one.text.isprintable() for line in edits.diff_lines("", "\x1b[2J\x07") for one in line)
    assert edits.diff_lines(GOOD, GOOD) == []


def test_a_plan_is_told_in_words() -> None:
    plan = {"web": {"action": "restart", "changed": ["service.exec_start"]}, "db": {"action": "live", "changed": []}}
    assert text_of(edits.plan_lines(plan)) == [
        "db  takes its new definition without a restart",
        "web  is restarted  (service.exec_start)",
    ]
    assert text_of(edits.plan_lines({})) == ["nothing: what runs is what the unit files say"]


def test_a_file_is_replaced_whole_with_its_mode_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "web.toml"
    path.write_text(GOOD)
    path.chmod(0o640)
    link = tmp_path / "link.toml"
    link.symlink_to(path)
    put_in_place(str(link), BETTER)
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode), link.is_symlink()) == (BETTER, 0o640, True)
    with pytest.raises(UnicodeEncodeError):
        put_in_place(str(path), "\ud800 lone")
    assert path.read_text() == BETTER


class Desk:
    """An app over a supd whose web.toml is a real file, and an editor that writes what it is told to."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = directory / "units" / "web.toml"
        self.path.parent.mkdir()
        self.path.write_text(GOOD)
        self._next = directory / "next"
        self._next.mkdir()
        self._count = 0
        self.seen = directory / "seen"
        editor = directory / "editor"
        # Each call takes the next text that the test laid down, and notes what it was given.
        editor.write_text(
            "#!/bin/sh\n"
            f'cat "$1" >> {self.seen}; printf "%s\\n" --- >> {self.seen}\n'
            f'for text in {self._next}/*; do cat "$text" > "$1"; status="${{text##*.}}"; rm "$text"; exit "$status"; done\n'
        )
        editor.chmod(0o755)
        monkeypatch.setenv("EDITOR", str(editor))
        monkeypatch.delenv("VISUAL", raising=False)
        monkeypatch.setenv("TMPDIR", str(directory))
        monkeypatch.setattr("tempfile.tempdir", str(directory))
        self.directory = directory
        self.app = make_app(brief("web"))
        world = supd_of(self.app).world
        world.definition = lambda unit: {  # type: ignore[method-assign]  # this world's file is a real one
            "unit": unit,
            "files": [{"path": str(self.path), "text": self.path.read_text()}],
            "origins": {},
        }
        self.app.suspend = contextlib.nullcontext  # type: ignore[method-assign,assignment]  # there is no terminal to give away

    def will_write(self, text: str, status: int = 0) -> None:
        self._count += 1
        (self._next / f"{self._count:03d}.{status}").write_text(text)

    def kept(self) -> list[str]:
        return [path.read_text() for path in sorted(self.directory.glob("*.draft"))]

    def toasts(self) -> str:
        return "\n".join(f"{toast.title}: {toast.message}" for toast in self.app._notifications)

    def review(self) -> str:
        assert isinstance(self.app.screen, Review)
        return " ".join(self.app.screen.query_one(TextLines).text.split())

    def tell(self, kind: str, **more: Any) -> None:
        supd_of(self.app).world.ring.publish({"time_s": 0.0, "unit": "web", "kind": kind, "text": "", **more})


Story = Callable[[Desk, Any], Any]


async def play(desk: Desk, story: Story) -> None:
    async with desk.app.run_test(size=(100, 30)) as pilot:
        await ready(pilot)
        await press(pilot, "e")
        await story(desk, pilot)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(tmp_path, monkeypatch)


async def shown(desk: Desk, pilot: Any) -> str:
    """What the next dialogue shows."""
    await until(pilot, lambda: isinstance(desk.app.screen, Review))
    await settled(pilot)
    return desk.review()


async def test_a_good_text_is_shown_as_a_difference_saved_and_what_supd_makes_of_it_is_told(desk: Desk) -> None:
    desk.will_write(BETTER)

    async def story(desk: Desk, pilot: Any) -> None:
        assert '+exec_start = "sleep 2000"' in await shown(desk, pilot)
        await press(pilot, "y")
        await until(pilot, lambda: desk.path.read_text() == BETTER)
        desk.tell("plan", action="restart", text="its definition changed: restart (service.exec_start)")
        await until(pilot, lambda: "web: its definition changed: restart" in desk.toasts())
        assert desk.kept() == []

    await play(desk, story)


async def test_a_text_that_would_not_load_is_told_with_place_and_offered_again_as_it_is(desk: Desk) -> None:
    desk.will_write(BAD)
    desk.will_write(BETTER)

    async def story(desk: Desk, pilot: Any) -> None:
        said = await shown(desk, pilot)
        assert "web.toml:3: service.restart: expected" in said
        assert '"allways"' in said
        assert desk.path.read_text() == GOOD
        await press(pilot, "e")
        assert '+exec_start = "sleep 2000"' in await shown(desk, pilot)
        assert BAD in desk.seen.read_text(), "the editor got the text back as it was"
        await press(pilot, "y")
        await until(pilot, lambda: desk.path.read_text() == BETTER)

    await play(desk, story)


async def test_who_leaves_finds_what_he_wrote_in_a_file(desk: Desk) -> None:
    desk.will_write(BAD)

    async def story(desk: Desk, pilot: Any) -> None:
        await shown(desk, pilot)
        await press(pilot, "escape")
        await until(pilot, lambda: "what you wrote is kept in" in desk.toasts())
        assert (desk.kept(), desk.path.read_text()) == ([BAD], GOOD)

    await play(desk, story)


async def test_who_leaves_the_screen_in_the_middle_of_it_finds_what_he_wrote(desk: Desk) -> None:
    desk.will_write(BETTER)

    async def story(desk: Desk, pilot: Any) -> None:
        await shown(desk, pilot)
        desk.app.exit()

    await play(desk, story)
    assert (desk.kept(), desk.path.read_text()) == ([BETTER], GOOD)


async def test_nothing_written_is_nothing_asked(desk: Desk) -> None:
    desk.will_write(GOOD)

    async def story(desk: Desk, pilot: Any) -> None:
        await until(pilot, lambda: "is unchanged" in desk.toasts())
        assert desk.kept() == []

    await play(desk, story)


async def test_an_editor_that_fails_loses_nothing(desk: Desk) -> None:
    desk.will_write(BETTER, status=3)

    async def story(desk: Desk, pilot: Any) -> None:
        await until(pilot, lambda: "the editor ended with status 3" in desk.toasts())
        await until(pilot, lambda: desk.kept() == [BETTER])
        assert desk.path.read_text() == GOOD

    await play(desk, story)


async def test_an_editor_that_is_not_there_is_said(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", "/nonexistent/editor")

    async def story(desk: Desk, pilot: Any) -> None:
        await until(pilot, lambda: "the editor does not start" in desk.toasts())

    await play(desk, story)


async def test_a_file_that_somebody_else_changed_meanwhile_is_not_overwritten_unasked(desk: Desk) -> None:
    desk.will_write(BETTER)
    theirs = GOOD + "# theirs\n"

    async def story(desk: Desk, pilot: Any) -> None:
        await shown(desk, pilot)
        desk.path.write_text(theirs)
        await press(pilot, "y")
        await until(pilot, lambda: isinstance(desk.app.screen, Review) and "# theirs" in desk.review())
        await press(pilot, "n")
        await until(pilot, lambda: desk.kept() == [BETTER])
        assert desk.path.read_text() == theirs

    await play(desk, story)


@pytest.mark.parametrize(("key", "is_applied"), [("y", True), ("n", False)])
async def test_where_supd_leaves_the_unit_alone_its_plan_is_shown_and_applied_when_wanted(desk: Desk, key: str, is_applied: bool) -> None:
    desk.will_write(BETTER)

    async def story(desk: Desk, pilot: Any) -> None:
        await shown(desk, pilot)
        await press(pilot, "y")
        await until(pilot, lambda: desk.path.read_text() == BETTER)
        desk.tell("plan", action="needs-restart", text="its definition changed; `supctl apply` restarts it")
        assert "web is restarted (service.exec_start)" in await shown(desk, pilot)
        await press(pilot, key)
        await until(pilot, lambda: not isinstance(desk.app.screen, Review))
        if is_applied:
            await until(pilot, lambda: "applied to web" in desk.toasts())
        assert (("apply", ("web",)) in supd_of(desk.app).asked) is is_applied

    await play(desk, story)


async def test_errors_that_supd_finds_all_the_same_are_told(desk: Desk) -> None:
    desk.will_write(BETTER)

    async def story(desk: Desk, pilot: Any) -> None:
        await shown(desk, pilot)
        await press(pilot, "y")
        await until(pilot, lambda: desk.path.read_text() == BETTER)
        world = supd_of(desk.app).world
        world.ring.publish({"time_s": 0.0, "unit": "", "kind": "unit-files", "text": "nothing has changed (1 error)", "errors": [{}]})
        await until(pilot, lambda: "nothing has changed (1 error)" in desk.toasts())

    await play(desk, story)


def remote(app: SupdApp) -> None:
    supd_of(app).is_local = False


def read_only(app: SupdApp) -> None:
    app.is_read_only = True


def without_file(app: SupdApp) -> None:
    supd_of(app).world.definition = lambda unit: {"unit": unit, "files": [], "origins": {}}  # type: ignore[method-assign]  # as above


@pytest.mark.parametrize(
    ("spoil", "why"),
    [(remote, "edit it there with `supctl edit web`"), (read_only, "this screen is read-only"), (without_file, "it has no file")],
)
async def test_what_may_not_be_edited_here_is_said_and_no_editor_started(desk: Desk, spoil: Callable[[SupdApp], None], why: str) -> None:
    spoil(desk.app)

    async def story(desk: Desk, pilot: Any) -> None:
        await until(pilot, lambda: why in desk.toasts())
        assert not desk.seen.exists()

    await play(desk, story)


async def test_the_loop_goes_on_while_the_editor_has_the_terminal(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = desk.directory / "gate"
    os.mkfifo(gate)
    editor = desk.directory / "slow-editor"
    editor.write_text(f'#!/bin/sh\ncat {gate} > "$1"\n')
    editor.chmod(0o755)
    monkeypatch.setenv("EDITOR", str(editor))

    async def story(desk: Desk, pilot: Any) -> None:
        supd_of(desk.app).world.units["late"] = brief("late")
        supd_of(desk.app).world.ring.publish({"unit": "late", "kind": "plan"})
        await until(pilot, lambda: "late" in desk.app.store)
        await asyncio.to_thread(gate.write_text, BETTER)
        assert '+exec_start = "sleep 2000"' in await shown(desk, pilot)
        await press(pilot, "n")

    await play(desk, story)
