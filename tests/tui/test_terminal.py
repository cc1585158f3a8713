"""The terminal comes back from whatever program it was given to."""

import asyncio

import pytest

from supervisor.tui.widgets.terminal import run_in_terminal
from tests.tui.pilot import make_app


@pytest.mark.parametrize(("program", "is_start_refused"), [("/bin/false", False), ("/nonexistent/editor", True), ("/etc/passwd", True)])
async def test_the_screen_comes_back_however_the_program_fails(
    program: str, is_start_refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app()
    async with app.run_test():
        monkeypatch.setattr(type(app._driver), "can_suspend", True)
        came_back: list[object] = []
        app.app_resume_signal.subscribe(app, came_back.append, immediate=True)
        if is_start_refused:
            with pytest.raises(OSError, match=program):
                await run_in_terminal(app, program)
        else:
            assert await run_in_terminal(app, program) == 1
        assert len(came_back) == 1


async def test_the_screen_comes_back_when_nobody_waits_for_the_program_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_app()
    async with app.run_test():
        monkeypatch.setattr(type(app._driver), "can_suspend", True)
        came_back: list[object] = []
        app.app_resume_signal.subscribe(app, came_back.append, immediate=True)
        running = asyncio.create_task(run_in_terminal(app, "/bin/true"))
        await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert len(came_back) == 1
