"""The screen never lies about the connection: stale and lost are seen, actions are off meanwhile, what was missed is told, nothing is lost
of what a person had chosen."""

from supervisor.tui.link.session import STALE_AFTER_S
from supervisor.tui.model.linkstate import LIVE, LOST, STALE
from supervisor.tui.widgets.bar import Bar
from tests.tui.briefs import NOW_S, brief
from tests.tui.pilot import acts_of, change, make_app, press, ready, screen_text, supd_of, time_of, until

UNITS = [brief("web"), brief("db"), brief("cache")]
RETRYING = brief("late", "activating", "auto-restart", next_time_s=NOW_S + 18, state_change_time_s=NOW_S - 5)


async def test_a_lost_connection_is_seen_and_resumed_with_everything_as_it_was() -> None:
    app = make_app(*UNITS)
    async with app.run_test(size=(120, 24)) as pilot:
        screen = await ready(pilot)
        change(app, "cache", n_restarts=1)  # so that there is an event to go on from
        await until(pilot, lambda: app.store.get("cache").brief["n_restarts"] == 1)  # type: ignore[union-attr]  # it is there
        await press(pilot, "/", *"!cache", "enter", "j", "space")
        assert app.marked == {"web"}
        supd_of(app).lose("supd at /run/x is gone")
        await until(pilot, lambda: app.link.phase == LOST)
        banner = screen.query_one("#banner", Bar)
        await until(pilot, lambda: "✗ connection to memory lost 0s ago" in banner.text)
        assert "last data 22:13:20" in banner.text
        assert "ctrl+r tries now" in banner.text
        assert "✗ lost" in screen_text(app).splitlines()[0]
        rows = [line for line in screen_text(app).splitlines() if " web " in line[:10]]  # not the pane beside it
        assert rows[0].startswith("▌?  web")  # the last word stays readable, and is not claimed to be true
        await press(pilot, "x")
        assert [one.message for one in app._notifications] == ["cannot stop web: there is no connection"]
        assert acts_of(app) == []

        supd_of(app).world.units["db"] |= {"active_state": "failed", "sub_state": "failed", "result": "timeout"}
        supd_of(app).world.ring.publish({"time_s": 0.0, "unit": "db", "kind": "state", "text": ""})
        supd_of(app).restore()
        await press(pilot, "ctrl+r")
        await until(pilot, lambda: app.link.phase == LIVE)
        await until(pilot, lambda: "FAIL time" in screen_text(app))
        time_of(app).advance(1.1)  # so long events of the outage are counted
        await until(pilot, lambda: app.link.outage is not None)
        await until(pilot, lambda: "1 event recovered, 0 lost" in banner.text)
        assert app.selected_unit == "web"
        assert app.marked == {"web"}
        assert "filter: !cache" in screen_text(app)
        time_of(app).advance(30.0)
        supd_of(app).beat()
        await until(pilot, lambda: not banner.display, "the end of the outage is told for a while only")


async def test_events_that_nobody_knows_any_more_are_told_of() -> None:
    app = make_app(*UNITS)
    async with app.run_test(size=(120, 24)) as pilot:
        screen = await ready(pilot)
        change(app, "db", n_restarts=1)
        await until(pilot, lambda: app.store.get("db").brief["n_restarts"] == 1)  # type: ignore[union-attr]  # it is there
        supd_of(app).lose()
        await until(pilot, lambda: app.link.phase == LOST)
        supd_of(app).replace_manager()
        supd_of(app).restore()
        await press(pilot, "ctrl+r")
        await until(pilot, lambda: app.link.phase == LIVE)
        time_of(app).advance(1.1)
        banner = screen.query_one("#banner", Bar)
        await until(pilot, lambda: "events may have been missed; everything was fetched anew" in banner.text)
        assert "a new manager of supd answers" in banner.text


async def test_silence_is_stale_and_a_heartbeat_ends_it() -> None:
    app = make_app(*UNITS)
    async with app.run_test(size=(120, 24)) as pilot:
        screen = await ready(pilot)
        time_of(app).advance(STALE_AFTER_S + 0.1)
        await until(pilot, lambda: app.link.phase == STALE)
        banner = screen.query_one("#banner", Bar)
        await until(pilot, lambda: "no word from memory" in banner.text)
        assert "◌ stale" in screen_text(app).splitlines()[0]
        assert "?  web" in screen_text(app)
        supd_of(app).beat()
        await until(pilot, lambda: app.link.phase == LIVE)
        await until(pilot, lambda: "●  web" in screen_text(app) and not banner.display)


async def test_nothing_is_counted_down_that_nobody_knows_of() -> None:
    app = make_app(RETRYING)
    async with app.run_test(size=(120, 24)) as pilot:
        await ready(pilot)
        time_of(app).advance(2.0)
        supd_of(app).beat()
        await until(pilot, lambda: "retry 16s" in screen_text(app))
        supd_of(app).lose()
        await until(pilot, lambda: app.link.phase == LOST)
        time_of(app).advance(10.0)
        app.flush()
        assert "?  late" in screen_text(app)
        assert "retry 16s" in screen_text(app)
        await press(pilot, "4")
        await until(pilot, lambda: "in 16s" in screen_text(app))


async def test_a_log_waits_while_the_connection_is_lost() -> None:
    app = make_app(*UNITS)
    async with app.run_test(size=(120, 24)) as pilot:
        await ready(pilot)
        await press(pilot, "2")
        await until(pilot, lambda: "● follow" in screen_text(app))
        supd_of(app).lose()
        await until(pilot, lambda: app.link.phase == LOST)
        await until(pilot, lambda: "◌ waits for supd" in screen_text(app))
        assert "● follow" not in screen_text(app)
        supd_of(app).restore()
        await press(pilot, "ctrl+r")
        await until(pilot, lambda: "● follow" in screen_text(app))


async def test_before_the_first_answer_it_says_that_it_connects() -> None:
    app = make_app(*UNITS)
    supd_of(app).lose("cannot connect to /run/supd.sock: there is no socket")
    async with app.run_test(size=(160, 24)) as pilot:
        await until(pilot, lambda: app.link.phase == LOST)
        await until(pilot, lambda: "cannot connect to /run/supd.sock" in screen_text(app))
        assert "connecting" in screen_text(app)
        supd_of(app).restore()
        await press(pilot, "ctrl+r")
        await until(pilot, lambda: "●  web" in screen_text(app))
