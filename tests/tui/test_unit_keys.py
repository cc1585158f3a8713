"""What the keys do to units: what is sent, when it is asked first, what is said afterwards, and what is not possible."""

from typing import Any, cast

import pytest
from textual.pilot import Pilot

from supervisor.tui.app import SupdApp
from supervisor.tui.modals.confirm import Confirm
from supervisor.tui.modals.menu import Menu
from tests.tui.briefs import brief
from tests.tui.pilot import acts_of, change, make_app, press, ready, screen_text, supd_of, until

UP = brief("web", status_text="serving")
DOWN = brief("web", "inactive", "dead")
FAILED = brief("web", "failed", "failed", result="exit-code", exec_main_code="exited", exec_main_status=3, n_restarts=2)


def toasts(app: SupdApp) -> list[tuple[str, str, str]]:
    """(severity, title, message) of every toast, oldest first."""
    return [(one.severity, one.title, one.message) for one in app._notifications]


async def now_it_is(pilot: Pilot[None], unit: dict[str, Any]) -> None:
    """The one unit is like this from now on; what was said before is gone."""
    app = cast("SupdApp", pilot.app)
    app.clear_notifications()
    change(app, "web", **unit)
    await until(pilot, lambda: (known := app.store.get("web")) is not None and known.brief["active_state"] == unit["active_state"])
    await until(pilot, lambda: (known := app.store.get("web")) is not None and known.brief["load_state"] == unit["load_state"])


DONE = [
    ("s", DOWN, ("start", "web"), "started web", "= supctl start web"),
    ("s", FAILED, ("start", "web"), "started web", "= supctl start web"),
    ("x", UP, ("stop", "web"), "stopped web", "= supctl stop web"),
    ("r", UP, ("restart", "web"), "restarted web", "= supctl restart web"),
    ("R", UP, ("reload", "web"), "reloaded web", "= supctl reload web"),
    ("u", FAILED, ("reset-failed", "web"), "reset web", "= supctl reset-failed web"),
]


async def test_a_key_does_it_and_the_toast_teaches_the_command() -> None:
    app = make_app(UP)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        for key, unit, sent, title, line in DONE:
            await now_it_is(pilot, unit)
            await press(pilot, key)
            await until(pilot, lambda: toasts(app), f"{key} is told of")
            assert acts_of(app)[-1] == sent
            assert toasts(app) == [("information", title, line)]


async def test_what_is_started_is_seen_to_run() -> None:
    app = make_app(DOWN)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        assert "○  web" in screen_text(app)
        await press(pilot, "s")
        await until(pilot, lambda: "●  web" in screen_text(app), "it runs on the screen")


SENSELESS = [
    ("s", UP, "cannot start web: it is up"),
    ("x", DOWN, "cannot stop web: it is down"),
    ("r", DOWN, "cannot restart web: it is down"),
    ("R", FAILED, "cannot reload web: it is not up"),
    ("u", UP, "cannot reset-failed web: it has not failed"),
    ("s", brief("web", "inactive", "dead", load_state="masked"), "cannot start web: it is masked"),
    ("s", brief("web", "inactive", "dead", load_state="bad-setting"), "cannot start web: its unit file has errors"),
]


async def test_a_key_without_sense_says_why() -> None:
    app = make_app(UP)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        for key, unit, reason in SENSELESS:
            await now_it_is(pilot, unit)
            await press(pilot, key)
            await until(pilot, lambda: toasts(app), reason)
            assert toasts(app) == [("warning", "", reason)]
        assert acts_of(app) == []


async def test_a_failure_carries_supds_reason_and_the_command() -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        while app.selected_unit != "bad":
            await press(pilot, "j")
        await press(pilot, "s")
        await until(pilot, lambda: toasts(app))
        reason = "cannot start bad: start: the main process exited with status 7\n= supctl start bad"
        assert toasts(app) == [("error", "start failed", reason)]


async def test_a_refusal_carries_supds_reason_and_its_hint() -> None:
    app = make_app(DOWN)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        supd_of(app).access = {"access": "view", "rights": [{"level": "view", "patterns": None}]}  # taken away since it was asked
        await press(pilot, "s")
        await until(pilot, lambda: toasts(app))
        severity, _, message = toasts(app)[0]
        assert severity == "error"
        assert "this needs the level operate; yours is view" in message


async def test_a_lost_link_in_the_middle_says_that_nobody_knows() -> None:
    app = make_app(DOWN)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        supd_of(app)._is_lost = True  # the stream has not noticed yet
        await press(pilot, "s")
        await until(pilot, lambda: toasts(app))
        assert toasts(app)[0][2].startswith("cannot tell what became of start web: ")


# What is not allowed.


async def test_read_only_does_nothing() -> None:
    app = make_app(FAILED, is_read_only=True)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        for key in "sxrRu":
            app.clear_notifications()
            await press(pilot, key)
            await until(pilot, lambda: toasts(app))
            assert toasts(app)[0][2].endswith("this screen is read-only")
        assert acts_of(app) == []
        assert "read-only" in screen_text(app).splitlines()[-1]


RIGHTS = [
    ([{"level": "view", "patterns": None}], False),
    ([{"level": "view", "patterns": None}, {"level": "operate", "patterns": ["web*"]}], True),
    ([{"level": "view", "patterns": None}, {"level": "operate", "patterns": ["db"]}], False),
    ([{"level": "admin", "patterns": None}], True),
]


@pytest.mark.parametrize(("rights", "may"), RIGHTS)
async def test_rights_are_known_before_a_key_is_pressed(rights: list[dict[str, Any]], may: bool) -> None:
    app = make_app(DOWN)
    supd_of(app).access = {"access": rights[-1]["level"], "rights": rights}
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        await press(pilot, "s")
        await until(pilot, lambda: toasts(app))
        assert (toasts(app)[0][0] == "information") == may
        if not may:
            assert toasts(app)[0][2] == "cannot start web: your access to web is not enough; it needs operate"
            assert acts_of(app) == []


# Marks, and questions.

THREE = [brief("a"), brief("b"), brief("c")]


async def test_marked_units_are_stopped_together_after_one_question() -> None:
    app = make_app(*THREE)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        await press(pilot, "space", "space", "x")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        text = screen_text(app)
        assert "Stop a and b?" in text
        assert "= supctl stop a b" in text
        await press(pilot, "y")
        await until(pilot, lambda: toasts(app))
        assert sorted(acts_of(app)) == [("stop", "a"), ("stop", "b")]
        assert toasts(app) == [("information", "stopped a and b", "= supctl stop a b")]


async def test_no_other_key_stops_anything() -> None:
    app = make_app(*THREE)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        for key in ("enter", "d", "n", "escape", "q"):
            if not isinstance(app.screen, Confirm):
                await press(pilot, "asterisk", "x")
                await until(pilot, lambda: isinstance(app.screen, Confirm))
            await press(pilot, key)
            assert isinstance(app.screen, Confirm) == (key in ("enter", "d"))
        assert acts_of(app) == []


async def test_some_of_several_that_fail_are_named() -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        app.marked |= {"bad", "db", "broken"}
        await press(pilot, "s")
        await until(pilot, lambda: toasts(app))
        severity, title, message = toasts(app)[0]
        assert (severity, title) == ("error", "start: 1 of 2 failed")
        assert message.endswith("= supctl start bad db")


async def test_a_unit_that_others_need_is_stopped_only_after_a_question_that_names_them() -> None:
    app = make_app(brief("web"), brief("db"))  # web requires db
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        await press(pilot, "x")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        text = screen_text(app)
        assert "Stop db?" in text
        assert "also stops 1 other unit: web" in text
        await press(pilot, "d")
        await until(pilot, lambda: toasts(app))
        assert toasts(app)[0][1:] == ("stopped db", "= supctl stop --job-mode ignore-dependencies db")
        assert supd_of(app).world.calls[-1][:3] == ("stop", "db", "ignore-dependencies")


async def test_on_another_machine_even_one_unit_is_asked_for() -> None:
    app = make_app(brief("solo"), is_remote=True)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        await press(pilot, "x")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        assert "This is memory, another machine." in screen_text(app)
        await press(pilot, "n")
        assert acts_of(app) == []


# Menus.


async def test_the_action_menu_offers_only_what_makes_sense() -> None:
    app = make_app(FAILED)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        await press(pilot, ".")
        await until(pilot, lambda: isinstance(app.screen, Menu))
        offered = [choice.value for choice in app.screen._choices]  # type: ignore[attr-defined]  # it is a Menu
        assert offered == ["start", "reset-failed", "disable", "mask"]
        await press(pilot, "m")
        await until(pilot, lambda: toasts(app))
        assert acts_of(app) == [("mask", "web")]


async def test_the_action_menu_is_used_with_arrows_and_enter_too() -> None:
    app = make_app(FAILED)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        await press(pilot, ".")
        await until(pilot, lambda: isinstance(app.screen, Menu))
        await press(pilot, "j", "enter")
        await until(pilot, lambda: toasts(app))
        assert acts_of(app) == [("reset-failed", "web")]


async def test_a_unit_that_cannot_reload_is_not_offered_it() -> None:
    app = make_app({**UP, "can_reload": False})
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        await press(pilot, ".")
        await until(pilot, lambda: isinstance(app.screen, Menu))
        assert "reload" not in [choice.value for choice in app.screen._choices]  # type: ignore[attr-defined]  # it is a Menu


async def test_a_signal_is_sent_at_once_but_sigkill_is_asked_for() -> None:
    app = make_app(UP)
    async with app.run_test(size=(80, 30)) as pilot:
        await ready(pilot)
        await press(pilot, "K")
        await until(pilot, lambda: isinstance(app.screen, Menu))
        await press(pilot, "h")
        await until(pilot, lambda: toasts(app))
        assert toasts(app)[0][1:] == ("sent SIGHUP to web", "= supctl kill -s HUP web")
        assert supd_of(app).world.calls[-1][:3] == ("kill", "web", 1)
        await press(pilot, "K")
        await until(pilot, lambda: isinstance(app.screen, Menu))
        await press(pilot, "K")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        assert "Send SIGKILL to web?" in screen_text(app)
        await press(pilot, "y")
        await until(pilot, lambda: len(acts_of(app)) == 2)
        assert supd_of(app).world.calls[-1][:3] == ("kill", "web", 9)


COPIES = [("n", "web"), ("p", "100"), ("l", "supctl status web"), ("s", "serving")]


async def test_the_copy_menu_copies() -> None:
    app = make_app(UP)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        for key, text in COPIES:
            await press(pilot, "Y")
            await until(pilot, lambda: isinstance(app.screen, Menu))
            await press(pilot, key)
            await until(pilot, lambda text=text: app.clipboard == text, key)  # type: ignore[misc]  # a lambda's default


async def test_y_copies_the_name() -> None:
    app = make_app(UP)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        await press(pilot, "y")
        assert app.clipboard == "web"
