"""A stop is true: whatever tree a unit grows, it is found, it is signalled, and its end is told. In both ways of tracking."""

import os
import resource
import signal

from supervisor.daemon.proctable import scan
from supervisor.model.effects import Kill
from supervisor.model.events import Emptied
from tests.system.processes.world import World

LEADER_WITH_STUBBORN_DAEMON = """
if os.fork() == 0:
    ignore_term()
    daemonize()
    say("grandchild")
    stay()
if os.fork() == 0:
    ignore_term()
    say("child")
    stay()
say("leader")
stay()
"""


def test_a_unit_without_processes_is_empty_at_once(world: World) -> None:
    assert world.wait_empty("nothing", token=7) == Emptied("nothing", 7)


def test_a_unit_is_not_empty_while_a_child_outlives_its_leader(world: World) -> None:
    leader = world.spawn("web", "if os.fork() == 0: say('child'); stay()\nstay()")
    child = world.hear("child")["child"]
    assert world.comms("web") == {leader, child}
    os.kill(leader, signal.SIGKILL)
    world.wait_exit(leader)
    answers: list[Emptied] = []
    world.processes.watch_empty("web", 1, answers.append)
    world.turn()
    assert answers == []
    assert f"pid {child} (python" in world.processes.survivors("web")
    world.kill("web", signal.SIGKILL, is_repeated=True)
    assert world.wait_empty("web", token=2) == Emptied("web", 2)
    assert answers == []  # the later watch replaced it
    assert world.processes.survivors("web") == ""


def test_emptiness_is_told_when_the_last_process_ends_by_itself(world: World) -> None:
    reader, writer = os.pipe()
    leader = world.spawn("web", f"fd = os.open('/proc/{os.getpid()}/fd/{reader}', os.O_RDONLY)\nsay('up')\nos.read(fd, 1)")
    world.hear("up")
    answers: list[Emptied] = []
    world.processes.watch_empty("web", 3, answers.append)
    world.turn()
    assert answers == []
    os.write(writer, b"x")
    world.wait_exit(leader)
    assert world.wait_empty("web", token=4).token == 4
    os.close(reader)
    os.close(writer)


def test_a_leader_that_ends_a_child_that_ignores_sigterm_and_a_daemon_with_its_own_session(world: World) -> None:
    leader = world.spawn("web", LEADER_WITH_STUBBORN_DAEMON)
    tree = world.hear("leader", "child", "grandchild")
    world.kill("web", signal.SIGTERM)
    world.wait_exit(leader)
    assert world.comms("web") == {tree["child"], tree["grandchild"]}
    world.kill("web", signal.SIGKILL, is_repeated=True)
    world.wait_empty("web")
    assert not any(world.is_alive(pid) for pid in tree.values())


def test_a_tree_that_forks_while_it_is_being_killed(world: World) -> None:
    world.spawn(
        "bomb",
        """
ignore_term()
say("up")
# Each generation has a session of its own and leaves the last one behind, alive or dead: far more than one look finds.
for generation in range(300):
    if os.fork():
        if generation % 4 == 0: stay()
        os._exit(0)
    os.setsid()
stay()
""",
    )
    world.hear("up")
    world.kill("bomb", signal.SIGKILL, is_repeated=True)
    world.wait_empty("bomb")
    assert world.comms("bomb") == set()


def test_a_process_that_hops_from_pid_to_pid_is_caught(world: World) -> None:
    # As fast as it can: no look at /proc shows more of it than where it has been. Its process group is what it cannot leave behind.
    leader = world.spawn("hopper", "say('up')\nwhile True:\n    if os.fork(): os._exit(0)")
    world.hear("up")
    world.kill("hopper", signal.SIGKILL, is_repeated=True)
    world.wait_empty("hopper")
    assert not [process for process in scan().table.values() if process.group == leader]


def test_a_group_in_which_a_stranger_is_seen_is_not_killed_whole(world: World) -> None:
    leader = world.spawn("web", "if os.fork() == 0: ignore_term(); say('child'); stay()\nsay('main'); stay()")
    child = world.hear("child", "main")["child"]
    world.kill("web", signal.SIGKILL, "others", (leader,), is_repeated=True)
    world.wait_gone(child)
    assert world.comms("web") == {leader}  # spared, though it is in the group of what was killed


def test_a_signal_to_all_reaches_a_stopped_process_too(world: World) -> None:
    leader = world.spawn("web", "say('up')\nos.kill(os.getpid(), signal.SIGSTOP)\nstay()")
    world.hear("up")
    world.kill("web", signal.SIGTERM)
    world.wait_exit(leader)


def test_mixed_spares_the_main_process_and_kills_the_others(world: World) -> None:
    main = world.spawn("web", "if os.fork() == 0: ignore_term(); say('child'); stay()\nsay('main'); stay()")
    child = world.hear("child", "main")["child"]
    world.kill("web", signal.SIGKILL, "others", (main,), is_repeated=True)
    world.wait_gone(child)
    assert world.comms("web") == {main}


def test_a_signal_to_the_main_process_reaches_it_alone(world: World) -> None:
    main = world.spawn("web", "if os.fork() == 0: say('child'); stay()\nstay()")
    child = world.hear("child")["child"]
    world.kill("web", signal.SIGTERM, "main", (main,))
    world.wait_exit(main)
    assert world.comms("web") == {child}


def test_a_stop_touches_no_other_unit(world: World) -> None:
    other = world.spawn("other", "say('other'); stay()")
    leader = world.spawn("web", "say('web'); stay()")
    world.hear("other", "web")
    world.kill("web", signal.SIGKILL, is_repeated=True)
    world.wait_exit(leader)
    world.wait_empty("web")
    assert world.comms("other") == {other}


def test_a_pid_that_came_round_to_another_process_is_not_signalled(world: World) -> None:
    stranger = world.spawn("stranger", "say('up'); stay()")
    world.hear("up")
    world.processes.note_started("web", 999, stranger, 1, "")  # the run had this pid, long ago
    world.processes.kill(Kill("web", signal.SIGTERM, "main", (stranger,), and_continue=True))
    world.processes.kill(Kill("web", signal.SIGTERM, "main", (stranger,)))
    world.turn()
    world.processes.note_exited("web", 999)
    assert world.is_alive(stranger)


def test_supd_itself_is_never_signalled(world: World) -> None:
    world.processes.kill(Kill("web", signal.SIGKILL, "main", (os.getpid(), os.getppid(), 1)))
    world.processes.kill(Kill("web", signal.SIGKILL, "all", (os.getpid(),)))
    world.turn()


def test_what_was_asked_before_a_run_began_does_not_reach_it(world: World) -> None:
    old = world.spawn("web", "say('old'); stay()")
    world.hear("old")
    world.processes.kill(Kill("web", signal.SIGTERM, "all", and_continue=True))
    new = world.spawn("web", "say('new'); stay()")
    world.hear("new")
    world.wait_exit(old)
    assert world.comms("web") == {new}


def test_after_release_nothing_is_left_of_the_unit(world: World) -> None:
    leader = world.spawn("web", "pass")
    world.wait_exit(leader)
    world.wait_empty("web")
    directory = world.processes.cgroup_of("web")
    world.processes.release("web", will_restart=True)
    if directory is not None:
        assert os.path.isdir(directory)
    world.processes.release("web")
    if directory is not None:
        assert not os.path.exists(directory)
    assert world.processes.owner_of(leader) is None


def test_a_cgroup_with_directories_that_the_unit_made_is_removed_too(world: World) -> None:
    directory = world.processes.cgroup_of("web")
    if directory is None:
        return  # in scan mode there is none
    os.makedirs(f"{directory}/its/own")
    world.processes.release("web")
    assert not os.path.exists(directory)


def test_processes_in_a_cgroup_that_the_unit_made_are_its_own(world: World) -> None:
    directory = world.processes.cgroup_of("web")
    program = "" if directory is None else f"os.mkdir('{directory}/its')\nopen('{directory}/its/cgroup.procs', 'w').write('0')\n"
    leader = world.spawn("web", program + "say('up'); stay()")
    world.hear("up")
    assert world.comms("web") == {leader}
    assert world.processes.owner_of(leader) == "web"
    world.kill("web", signal.SIGKILL, is_repeated=True)
    world.wait_empty("web")


def test_a_manager_that_was_started_again_knows_the_tree(world: World) -> None:
    world.spawn("web", "if os.fork() == 0: daemonize(); say('daemon'); stay()\nos.wait(); stay()")
    daemon = world.hear("daemon")["daemon"]
    before = world.processes
    world.processes = world.new_manager()
    world.processes.restore("web", [world.last_run])
    world.turn()
    assert world.comms("web") == {world.last_run[1], daemon}
    assert world.processes.owner_of(daemon) == "web"
    world.kill("web", signal.SIGKILL, is_repeated=True)
    world.wait_empty("web")
    before.close()


HEADLESS = """
import ctypes, threading
def lose_the_first_thread():
    ready = threading.Event()
    threading.Thread(target=lambda: (ready.set(), time.sleep(1000))).start()
    ready.wait()
    say("headless")
    ctypes.CDLL(None).pthread_exit(None)
"""


def test_a_process_whose_first_thread_has_ended_is_killed(world: World) -> None:
    world.spawn("web", HEADLESS + "if os.fork() == 0: ignore_term(); lose_the_first_thread()\nstay()")
    child = world.hear("headless")["headless"]
    world.wait_headless(child)
    world.kill("web", signal.SIGKILL, is_repeated=True)
    world.wait_empty("web")
    assert not world.is_alive(child)


def test_a_daemon_whose_first_thread_has_ended_is_known_by_its_environment(world: World) -> None:
    leader = world.spawn("web", HEADLESS + "if os.fork() == 0: daemonize(); ignore_term(); lose_the_first_thread()\nstay()")
    child = world.hear("headless")["headless"]
    world.wait_headless(child)
    assert world.comms("web") == {leader, child}
    world.kill("web", signal.SIGKILL, is_repeated=True)
    world.wait_empty("web")
    assert not world.is_alive(child)


def test_waiting_leaves_descriptors_to_those_who_look_and_signal(world: World) -> None:
    leader = world.spawn("web", "say('up')\nstay()")
    world.hear("up")
    answers: list[Emptied] = []
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (_next_descriptor() + 12, hard))
    try:
        before = len(os.listdir("/proc/self/fd"))
        world.processes.watch_empty("web", 1, answers.append)
        world.turn()
        held = len(os.listdir("/proc/self/fd")) - before
        world.kill("web", signal.SIGTERM)
        world.wait_exit(leader)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert held == (0 if world.tracking == "cgroup" else 1)  # in scan mode a process is watched, one of four at most
    assert world.wait_empty("web", token=2) == Emptied("web", 2)


def _next_descriptor() -> int:
    descriptor = os.open("/dev/null", os.O_RDONLY)
    os.close(descriptor)
    return descriptor
