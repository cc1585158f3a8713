"""Whose process is it: while it lives, while it dies, and when it was never ours."""

import os
import signal

from tests.system.processes.world import World


def test_a_run_its_child_and_a_daemon_belong_to_their_unit(world: World) -> None:
    daemon = "if os.fork() == 0: daemonize(); say('daemon'); stay()\nos.wait()\n"
    leader = world.spawn("web", daemon + "if os.fork() == 0: say('child'); stay()\nstay()")
    tree = world.hear("daemon", "child")
    assert [world.processes.owner_of(pid) for pid in (leader, tree["daemon"], tree["child"])] == ["web"] * 3


def test_strangers_and_supd_belong_to_nobody(world: World) -> None:
    world.spawn("web", "say('up'); stay()")
    world.hear("up")
    assert [world.processes.owner_of(pid) for pid in (os.getpid(), os.getppid(), 1, 4_000_000)] == [None] * 4


def test_a_run_that_died_is_its_units_until_the_keeper_has_said_so(world: World) -> None:
    leader = world.spawn("web", "stay()")
    os.kill(leader, signal.SIGKILL)
    world.wait_gone_unheard(leader)
    assert world.processes.owner_of(leader) == "web"


def test_a_sender_that_is_remembered_is_known_after_its_death(world: World) -> None:
    world.spawn("web", "if os.fork() == 0: say('child'); stay()\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN); stay()")
    child = world.hear("child")["child"]
    assert world.processes.owner_of(child) == "web"
    world.processes.remember("web", child)
    os.kill(child, signal.SIGKILL)
    world.wait_gone(child)
    assert world.processes.owner_of(child) == "web"


def test_only_the_keepers_own_children_will_be_reaped_by_it(world: World) -> None:
    leader = world.spawn("web", "if os.fork() == 0: say('child'); stay()\nstay()")
    child = world.hear("child")["child"]
    assert world.processes.is_child_of_keeper(leader)
    assert not world.processes.is_child_of_keeper(child)
    assert not world.processes.is_child_of_keeper(os.getpid())


def test_a_run_that_began_since_the_last_look_is_a_member_whatever_age_of_a_look_will_do(world: World) -> None:
    for unit in ("web", "db"):
        pid = world.spawn(unit, "say('up'); stay()")
        world.hear("up")
        assert [process.pid for process in world.processes.members(unit, max_age_ms=60_000)] == [pid]


LOSES_EVERYTHING = """
if os.fork() == 0:
    os.setsid()
    if os.fork(): os._exit(0)
    program = "import os, signal; os.write(1, f'hidden {os.getpid()}\\\\n'.encode()); signal.pause()"
    os.execve("/proc/self/exe", ["hidden", "-I", "-S", "-c", program], {"SUPD_TEST": os.environ["SUPD_TEST"]})
os.wait()
"""


def test_what_lost_session_environment_and_parent_unseen_is_shown_and_never_killed(scanning_world: World) -> None:
    world = scanning_world
    leader = world.spawn("web", LOSES_EVERYTHING)
    hidden = world.hear("hidden")["hidden"]
    world.wait_exit(leader)
    world.kill("web", signal.SIGKILL, is_repeated=True)
    world.wait_empty("web")
    assert [process.pid for process in world.processes.unattributed()] == [hidden]
    assert world.is_alive(hidden)


def test_what_was_seen_once_is_remembered_whatever_it_loses_later(scanning_world: World) -> None:
    world = scanning_world
    leaves = "if os.fork() == 0:\n    say('before')\n    signal.sigwait({signal.SIGUSR1})\n    os.setsid()\n    say('after')\n    stay()\n"
    leader = world.spawn("web", "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})\n" + leaves + "stay()")
    child = world.hear("before")["before"]
    assert world.comms("web") == {leader, child}
    os.kill(leader, signal.SIGKILL)
    world.wait_exit(leader)
    os.kill(child, signal.SIGUSR1)
    world.hear("after")
    world.kill("web", signal.SIGKILL, is_repeated=True)
    world.wait_empty("web")
    assert not world.is_alive(child)


def test_names_of_units_cannot_collide_with_the_kernels_files(world: World) -> None:
    directory = world.processes.cgroup_of("cgroup.procs")
    if directory is not None:
        assert os.path.isdir(directory)
    world.processes.release("cgroup.procs")
