"""Children that hide, multiply or lie about whose they are, in both ways of tracking. For each: what a good supervisor does, and
(`Siege.withstands`) that after a stop no process is left, that others were served meanwhile, and that supd is no bigger than before."""

import pytest

from tests.conftest import figure
from tests.hostile.siege import Siege, ends

TRACKINGS = ["cgroup", "scan"]


def test_one_that_ignores_sigterm_is_killed_when_its_time_is_up(siege: Siege) -> None:
    shown = siege.withstands("ignores_term")
    assert ends(shown) == ("failed", "timeout")


def test_a_deserter_is_found_and_what_it_wrote_is_its_units(siege: Siege) -> None:
    shown = siege.withstands("deserter", during=lambda: siege.supd.wait_for_line("deserter", "still here"))
    assert ends(shown) == ("failed", "timeout")


def test_a_fork_bomb_is_put_out(siege: Siege) -> None:
    shown = siege.withstands("fork_bomb", waits=False)
    assert shown["active_state"] in ("failed", "inactive")


def test_one_that_stopped_itself_is_ended_all_the_same(siege: Siege) -> None:
    assert ends(siege.withstands("stops_itself")) == ("inactive", "success")


def test_a_grandchild_that_holds_the_pipe_holds_nobody_up(siege: Siege) -> None:
    def during() -> None:
        siege.supd.wait_until("leaves_the_pipe", "inactive")
        siege.supd.wait_for_line("leaves_the_pipe", "the pipe is mine")

    siege.withstands("leaves_the_pipe", during)


def test_bad_datagrams_at_full_speed_change_nothing(siege: Siege, pytestconfig: pytest.Config) -> None:
    shown = siege.withstands(
        "floods_notify", lambda: siege.supd.wait_for("floods_notify", "at it", lambda shown: shown["status_errno"] in (7, 8))
    )
    assert ends(shown) == ("inactive", "success")
    assert siege.supd.show("neighbour")["status_text"] == "calm"
    taken = siege.supd.supctl("logs", "floods_notify", "-o", "cat", "-n", "1").stdout.strip()
    figure(pytestconfig, f"bad datagrams, tracking by {shown['tracking']}: {taken}")


def test_one_that_disguises_itself_is_known_and_its_name_is_made_harmless(siege: Siege) -> None:
    def during() -> None:
        shown = siege.supd.wait_for("disguises_itself", "known whole", lambda shown: len(shown["pids"]) == 2)
        assert shown["main_pid"] in shown["pids"]
        for verb in ("status", "show", "top"):
            assert (
                "\x1b" not in siege.supd.supctl(*([verb, "-n", "1"] if verb == "top" else [verb, "disguises_itself"]), expect=None).stdout
            )

    assert ends(siege.withstands("disguises_itself", during)) == ("inactive", "success")


def test_zombies_that_a_child_leaves_are_gone_with_it(siege: Siege) -> None:
    assert ends(siege.withstands("leaves_zombies")) == ("inactive", "success")
    children = f"/proc/{siege.supd.keeper_pid}/task/{siege.supd.keeper_pid}/children"
    with open(children, encoding="ascii") as file:
        assert set(file.read().split()) == {str(siege.supd.get("/v1/version")["manager_pid"]), str(siege.neighbour["main_pid"])}
