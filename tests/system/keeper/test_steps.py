"""Every step between fork and exec that a request can make fail, and what a child finds when none does."""

import errno
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from supervisor.keeper import steps
from tests.system.keeper.harness import Keeper

BEYOND = 2**32 - 1  # what the kernel takes for "no such id"
CAP_NET_BIND_SERVICE, CAP_SYS_ADMIN = 10, 21

# step, errno, exit status (systemd.exec(5), "Process exit codes"), what the request asks for
FAILURES: list[tuple[str, int, int, dict[str, Any]]] = [
    ("CGROUP", errno.ENOENT, 219, {"cgroup": "/nonexistent"}),
    ("CGROUP", errno.ENOTDIR, 219, {"cgroup": "/etc/passwd"}),
    ("STDIN", errno.ENOENT, 208, {"stdin": ["open", "/nonexistent", os.O_RDONLY, 0]}),
    ("STDIN", errno.EBADF, 208, {"stdin": ["stored", "never stored"]}),
    ("STDIN", errno.EINVAL, 208, {"stdin": ["stdout"]}),
    ("STDOUT", errno.EISDIR, 209, {"stdout": ["open", "/", os.O_WRONLY, 0]}),
    ("STDOUT", errno.EINVAL, 209, {"stdout": ["telepathy"]}),
    ("STDERR", errno.ENOTDIR, 222, {"stderr": ["open", "/etc/passwd/x", os.O_WRONLY | os.O_CREAT, 0o600]}),
    ("LIMITS", errno.EINVAL, 205, {"limits": [[resource.RLIMIT_CORE, 2, 1]]}),
    ("LIMITS", errno.EINVAL, 205, {"limits": [[4711, 0, 0]]}),
    ("CPUAFFINITY", errno.EINVAL, 215, {"cpu_affinity": []}),
    ("CPUAFFINITY", errno.EINVAL, 215, {"cpu_affinity": [1023]}),
    ("IOPRIO", errno.EINVAL, 211, {"io_priority": 7 << 13}),
    ("OOM_ADJUST", errno.EINVAL, 206, {"oom_score_adjust": 1001}),
    ("GROUP", errno.EINVAL, 216, {"gid": BEYOND + 1}),
    ("USER", errno.EINVAL, 217, {"uid": BEYOND + 1}),
    ("CAPABILITIES", errno.EINVAL, 218, {"ambient_capabilities": [63]}),
    ("CHDIR", errno.ENOENT, 200, {"working_directory": "/nonexistent"}),
    ("CHDIR", errno.ENOTDIR, 200, {"working_directory": "/etc/passwd"}),
    ("FDS", errno.EBADF, 202, {"passed": ["never stored"]}),
    ("FDS", errno.EBADF, 202, {"placed": [["never stored", 3]]}),
    ("FDS", errno.EEXIST, 202, {"placed": [["never stored", 2]]}),
    ("EXEC", errno.ENOENT, 203, {"path": "/nonexistent"}),
    ("EXEC", errno.EACCES, 203, {"path": "/etc/passwd"}),
    ("EXEC", errno.EACCES, 203, {"path": "/"}),
    ("EXEC", errno.EINVAL, 203, {"path": "/bin/true\0"}),
    ("EXEC", errno.EINVAL, 203, {"environment": ["=value"]}),
    ("EXEC", errno.E2BIG, 203, {"argv": ["true", "x" * (1 << 18)]}),
]
# As an ordinary user: what the kernel forbids him.
ORDINARY_FAILURES: list[tuple[str, int, int, dict[str, Any]]] = [
    ("LIMITS", errno.EPERM, 205, {"limits": [[resource.RLIMIT_CORE, 0, 0], [resource.RLIMIT_CORE, -1, -1]]}),
    ("NICE", errno.EACCES, 201, {"nice": -5}),
    ("IOPRIO", errno.EPERM, 211, {"io_priority": 1 << 13}),
    ("OOM_ADJUST", errno.EACCES, 206, {"oom_score_adjust": -500}),
    ("CAPABILITIES", errno.EPERM, 218, {"capability_bounding_set": []}),
    ("CAPABILITIES", errno.EPERM, 218, {"ambient_capabilities": [CAP_SYS_ADMIN]}),
    ("GROUP", errno.EPERM, 216, {"groups": [0]}),
    ("GROUP", errno.EPERM, 216, {"gid": 0}),
    ("USER", errno.EPERM, 217, {"uid": 0}),
    ("CHDIR", errno.EACCES, 200, {"working_directory": "/proc/1/cwd"}),
    ("STDOUT", errno.EACCES, 209, {"stdout": ["open", "/etc/forbidden", os.O_WRONLY | os.O_CREAT, 0o600]}),
]
# No request can make these fail: a child of fork may always begin a session, take default dispositions, give up privileges.
INFALLIBLE = {"SETSID", "SIGNAL_MASK", "NO_NEW_PRIVILEGES"}


def failure_of(keeper: Keeper, fields: dict[str, Any]) -> list[Any]:
    request = keeper.request("/bin/true", **fields)
    keeper.manager.send(["spawn", request])
    forked, failed = keeper.manager.wait_outcome(request.run)
    assert forked[0] == "forked" and failed[:2] == ["spawn_failed", request.run]
    return failed[2:]


def name_row(row: tuple[str, int, int, dict[str, Any]]) -> str:
    return f"{row[0]}-{errno.errorcode[row[1]]}-{'-'.join(row[3])}"


@pytest.mark.parametrize("row", FAILURES, ids=name_row)
def test_a_step_that_fails_is_named_with_its_errno_and_status(keeper: Keeper, row: tuple[str, int, int, dict[str, Any]]) -> None:
    step, number, status, fields = row
    assert failure_of(keeper, fields) == [step, number, status]


@pytest.mark.parametrize("row", ORDINARY_FAILURES, ids=name_row)
def test_what_an_ordinary_user_may_not_do_fails_in_its_step(ordinary_keeper: Keeper, row: tuple[str, int, int, dict[str, Any]]) -> None:
    step, number, status, fields = row
    assert failure_of(ordinary_keeper, fields) == [step, number, status]


def test_every_step_that_can_fail_is_made_to_fail() -> None:
    shown = {row[0] for row in FAILURES + ORDINARY_FAILURES}
    assert shown | INFALLIBLE == {step for step, _, _, _ in steps.STEPS}
    assert not shown & INFALLIBLE


def test_every_row_agrees_with_the_table_s_exit_status() -> None:
    statuses = {step: status for step, status, _, _ in steps.STEPS}
    assert all(statuses[step] == status for step, _, status, _ in FAILURES + ORDINARY_FAILURES)


def test_a_file_that_is_no_program_is_not_given_to_a_shell(keeper: Keeper) -> None:
    text = keeper.directory / "text"
    text.write_text("echo from a shell\n")
    text.chmod(0o755)
    assert failure_of(keeper, {"path": str(text)}) == ["EXEC", errno.ENOEXEC, 203]


def test_a_missing_interpreter_is_an_exec_failure(keeper: Keeper) -> None:
    script = keeper.directory / "script"
    script.write_text("#!/nonexistent/python\n")
    script.chmod(0o755)
    assert failure_of(keeper, {"path": str(script)}) == ["EXEC", errno.ENOENT, 203]


def test_a_failed_child_is_reaped_and_its_exit_not_reported(keeper: Keeper) -> None:
    request = keeper.request("/nonexistent")
    keeper.manager.send(["spawn", request])
    keeper.manager.wait_outcome(request.run)
    keeper.wait_reaped(request.run)
    assert [report[0] for report in keeper.manager.of_run(request.run)] == ["forked", "spawn_failed"]


# What a child starts with. cat reads its own /proc/self and changes nothing about itself, unlike an interpreter.


def status_of(keeper: Keeper, **fields: Any) -> dict[str, str]:
    text = keeper.output_of("/bin/cat", "/proc/self/status", **fields).decode()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in text.splitlines())}


def test_a_child_starts_with_nothing_blocked_ignored_or_caught(start_keeper: Callable[..., Keeper]) -> None:
    def ignore_and_block() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGRTMIN, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGUSR1, signal.SIGCHLD})

    keeper = start_keeper(preexec_fn=ignore_and_block)
    status = status_of(keeper)
    assert {int(status[key], 16) for key in ("SigBlk", "SigIgn", "SigCgt", "SigPnd", "ShdPnd")} == {0}


def test_signals_to_be_ignored_are_ignored_alone(keeper: Keeper) -> None:
    status = status_of(keeper, ignored_signals=[signal.SIGPIPE])
    assert int(status["SigIgn"], 16) == 1 << signal.SIGPIPE - 1


def test_a_child_leads_a_session_of_its_own_without_a_terminal(keeper: Keeper) -> None:
    fields = keeper.output_of("/bin/cat", "/proc/self/stat").rpartition(b")")[2].split()
    run = keeper.manager.reports[-1][1]
    pid = keeper.manager.wait_report("forked", run)[2]
    parent, group, session, terminal = (int(field) for field in fields[1:5])
    assert (parent, group, session, terminal) == (keeper.process.pid, pid, pid, 0)


def test_a_child_has_descriptors_0_to_2_and_no_other(start_keeper: Callable[..., Keeper]) -> None:
    # One that supd's own starter left open must not reach a service either.
    leaked = os.open("/etc/passwd", os.O_RDONLY)
    keeper = start_keeper(pass_fds=(leaked,))
    os.close(leaked)
    listing = keeper.output_of(sys.executable, "-S", "-c", "import os; print(os.listdir('/proc/self/fd'))")
    assert listing == b"['0', '1', '2', '3']\n"  # 3 is the listing itself


def test_passed_descriptors_are_3_4_and_so_on_in_their_order(keeper: Keeper) -> None:
    files = []
    for name in ("a", "b", "c"):
        path = keeper.directory / name
        path.write_text(name)
        files.append(os.open(path, os.O_RDONLY))
    keeper.manager.send(*(["store", name, False] for name in "abc"), descriptors=files)
    for number in files:
        os.close(number)
    script = (
        "import os; print([os.read(n, 9) for n in (3, 4, 5)], len(os.listdir('/proc/self/fd')),"
        " os.environ['LISTEN_PID'] == str(os.getpid()))"
    )
    printed = keeper.output_of(sys.executable, "-S", "-c", script, passed=["c", "a", "b"], pid_variables=["LISTEN_PID"])
    assert printed == b"[b'c', b'a', b'b'] 7 True\n"


def test_a_placed_descriptor_gets_its_number_and_of_a_pipe_the_writing_end(keeper: Keeper) -> None:
    path = keeper.directory / "a"
    path.write_text("a")
    file = os.open(path, os.O_RDONLY)
    read_end, write_end = os.pipe()
    both_ends = os.open(f"/proc/self/fd/{read_end}", os.O_RDWR)
    keeper.manager.send(["store", "a", False], ["store", "ready", False], ["store", "b", False], descriptors=[file, both_ends, file])
    for number in (file, write_end, both_ends):
        os.close(number)
    script = (
        "import fcntl, os; print([n for n in range(3, 12) if os.path.exists(f'/proc/self/fd/{n}')], os.read(3, 9),"
        " fcntl.fcntl(9, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY, os.write(9, b'now'))"
    )
    printed = keeper.output_of(sys.executable, "-S", "-c", script, passed=["a"], placed=[["ready", 9], ["b", 6]])
    assert printed == b"[3, 6, 9] b'a' True 3\n"
    assert os.read(read_end, 9) == b"now"
    os.close(read_end)


def test_more_than_64_descriptors_arrive_in_one_batch_and_are_passed(keeper: Keeper) -> None:
    names = [f"n{number}" for number in range(150)]
    files = []
    for name in names:
        path = keeper.directory / name
        path.write_text(name)
        files.append(os.open(path, os.O_RDONLY))
    keeper.manager.send(*(["store", name, False] for name in names), descriptors=files, remember={"big": "x" * 100_000})
    for number in files:
        os.close(number)
    script = "import os; print(*(os.read(n, 9).decode() for n in range(3, 153)))"
    assert keeper.output_of(sys.executable, "-S", "-c", script, passed=names).decode().split() == names


def test_a_stored_pipe_is_opened_anew_for_reading_and_writing(keeper: Keeper) -> None:
    read_end, write_end = os.pipe()
    keeper.manager.send(["store", "log:web", False], descriptors=[read_end])
    os.close(write_end)
    # Only the read end exists, here and in the keeper; the child's own is both, so that no vanished reader ever kills it.
    keeper.output_of("/bin/cat", "/proc/self/fdinfo/1", stdout=["stored", "log:web"])
    info = dict(line.split(":\t") for line in os.read(read_end, 4096).decode().splitlines() if ":\t" in line)
    os.close(read_end)
    assert int(info["flags"], 8) & os.O_ACCMODE == os.O_RDWR


def test_a_stored_socket_is_the_child_s_own_descriptor(keeper: Keeper) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        keeper.manager.send(["store", "connection", False], descriptors=[theirs.fileno()])
        ours.sendall(b"through\n")
        ours.shutdown(socket.SHUT_WR)
        keeper.output_of("/bin/cat", stdin=["stored", "connection"], stdout=["stored", "connection"])
        assert ours.recv(100) == b"through\n"


def test_standard_error_may_follow_standard_output(keeper: Keeper) -> None:
    assert keeper.output_of("/bin/sh", "-c", "echo out; echo err >&2", stderr=["stdout"]) == b"out\nerr\n"


def test_inherited_output_is_supd_s_own(start_keeper: Callable[..., Keeper]) -> None:
    keeper = start_keeper()
    keeper.output_of("/bin/sh", "-c", "echo hello from a service >&2", stderr=["inherit"])
    assert keeper.said() == "hello from a service\n"


def test_without_a_word_about_files_the_limit_is_the_one_supd_was_started_with(start_keeper: Callable[..., Keeper]) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    keeper = start_keeper(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard)))
    text = keeper.output_of("/bin/cat", "/proc/self/limits").decode()
    shown = next(line for line in text.splitlines() if line.startswith("Max open files"))
    assert shown.split()[3:5] == ["200", str(hard)]
    assert resource.prlimit(keeper.process.pid, resource.RLIMIT_NOFILE) == (hard, hard)
    assert keeper.manager.table["nofile_soft"] == 200


@pytest.mark.parametrize(
    ("number", "soft", "hard", "line"),
    [
        (resource.RLIMIT_CORE, 0, 0, "Max core file size 0 0"),
        (resource.RLIMIT_NOFILE, 77, 99, "Max open files 77 99"),
        (resource.RLIMIT_NPROC, 500, 600, "Max processes 500 600"),
        (resource.RLIMIT_STACK, 1 << 20, 1 << 21, "Max stack size 1048576 2097152"),
        (resource.RLIMIT_AS, 1 << 26, 1 << 26, "Max address space 67108864 67108864"),
        (resource.RLIMIT_DATA, 1 << 22, 1 << 22, "Max data size 4194304 4194304"),
        (resource.RLIMIT_FSIZE, 1 << 20, 1 << 20, "Max file size 1048576 1048576"),
    ],
)
def test_limits_hold(keeper: Keeper, number: int, soft: int, hard: int, line: str) -> None:
    text = keeper.output_of("/bin/cat", "/proc/self/limits", limits=[[number, soft, hard]]).decode()
    assert any(" ".join(shown.split()).startswith(line) for shown in text.splitlines())


def test_a_tiny_address_space_does_not_break_the_steps_themselves(keeper: Keeper) -> None:
    # Smaller than the keeper's own: what is mapped stays, and the program gets a fresh one.
    size = 8 << 20
    text = keeper.output_of("/bin/cat", "/proc/self/limits", limits=[[resource.RLIMIT_AS, size, size]]).decode()
    assert f"{size}" in text


def test_nice_affinity_oom_score_and_umask_hold(keeper: Keeper) -> None:
    processor = min(os.sched_getaffinity(0))
    status = status_of(keeper, nice=5, cpu_affinity=[processor], umask=0o077)
    assert (status["Cpus_allowed_list"], status["Umask"]) == (str(processor), "0077")
    assert keeper.output_of("/bin/cat", "/proc/self/stat", nice=7).rpartition(b")")[2].split()[16] == b"7"
    assert keeper.output_of("/bin/cat", "/proc/self/oom_score_adj", oom_score_adjust=321) == b"321\n"


def test_the_io_priority_holds(keeper: Keeper) -> None:
    idle = 3 << 13
    script = "import ctypes; print(ctypes.CDLL(None).syscall({}, 1, 0))"
    number = {"x86_64": 252, "aarch64": 31}.get(os.uname().machine)
    if number is None:
        pytest.skip("ioprio_get's number on this machine is not known here")
    assert int(keeper.output_of(sys.executable, "-c", script.format(number), io_priority=idle)) == idle


def test_no_new_privileges_holds(keeper: Keeper) -> None:
    assert status_of(keeper, no_new_privileges=True)["NoNewPrivs"] == "1"
    assert status_of(keeper)["NoNewPrivs"] == "0"


def test_user_group_and_supplementary_groups_hold(keeper: Keeper, as_root: None) -> None:
    status = status_of(keeper, uid=65534, gid=65533, groups=[1, 2])
    assert status["Uid"].split() == ["65534"] * 4
    assert status["Gid"].split() == ["65533"] * 4
    assert status["Groups"].split() == ["1", "2"]
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0


def test_the_capability_bounding_set_holds(keeper: Keeper, as_root: None) -> None:
    status = status_of(keeper, capability_bounding_set=[CAP_NET_BIND_SERVICE])
    assert {int(status[key], 16) for key in ("CapBnd", "CapPrm", "CapEff")} == {1 << CAP_NET_BIND_SERVICE}


def test_an_ordinary_user_keeps_his_ambient_capabilities_and_no_other(keeper: Keeper, as_root: None) -> None:
    status = status_of(keeper, uid=65534, gid=65534, groups=[], ambient_capabilities=[CAP_NET_BIND_SERVICE])
    assert {int(status[key], 16) for key in ("CapAmb", "CapPrm", "CapEff", "CapInh")} == {1 << CAP_NET_BIND_SERVICE}


def test_a_child_is_in_its_cgroup_from_its_first_instruction(keeper: Keeper, as_root: None) -> None:
    mounts = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    root = next((Path(fields[4]) for fields in mounts if fields[fields.index("-") + 1] == "cgroup2"), None)
    if root is None or not os.access(root, os.W_OK):
        pytest.skip("no cgroup2 hierarchy that can be written to")
    group = root / f"supd-keeper-test-{os.getpid()}"
    group.mkdir()
    try:
        text = keeper.output_of("/bin/cat", "/proc/self/cgroup", cgroup=str(group)).decode()
    finally:
        group.rmdir()
    assert next(line for line in text.splitlines() if line.startswith("0::")).endswith(group.name)


def test_the_working_directory_is_entered_and_an_optional_one_may_be_missing(keeper: Keeper) -> None:
    assert keeper.output_of("/bin/pwd", working_directory="/usr") == b"/usr\n"
    assert keeper.output_of("/bin/pwd", working_directory="/nonexistent", working_directory_is_optional=True) == b"/\n"


def test_the_environment_is_the_request_s_alone(keeper: Keeper) -> None:
    printed = keeper.output_of("/usr/bin/env", "-0", environment=["A=1", "B=x=y", "EMPTY="])
    assert sorted(printed.split(b"\0")) == [b"", b"A=1", b"B=x=y", b"EMPTY="]


def test_text_survives_any_bytes(keeper: Keeper) -> None:
    every = bytes(range(1, 256)) + "żółw\u2028\U0001f422".encode()
    text = every.decode("utf-8", "surrogateescape")
    assert keeper.output_of("/usr/bin/printf", "%s", text) == every
    assert keeper.output_of("/usr/bin/env", "-0", environment=[f"X={text}"]) == b"X=" + every + b"\0"
    directory = os.fsencode(keeper.directory) + b"/" + every.replace(b"/", b"")[:200]
    os.mkdir(directory)
    assert keeper.output_of("/bin/pwd", working_directory=directory.decode("utf-8", "surrogateescape")) == directory + b"\n"


def test_shell_metacharacters_mean_nothing(keeper: Keeper) -> None:
    hostile = "$(touch /tmp/x); `id` | cat > y && * ? ~ \\ ' \""
    assert keeper.output_of("/usr/bin/printf", "%s", hostile, environment=[f"X={hostile}"]) == hostile.encode()


def test_an_ordinary_user_s_supd_runs_services_too(ordinary_keeper: Keeper) -> None:
    status = status_of(ordinary_keeper, nice=3, limits=[[resource.RLIMIT_NOFILE, 50, 60]], no_new_privileges=True)
    uid, gid = int(status["Uid"].split()[0]), int(status["Gid"].split()[0])
    # Naming himself changes nothing and needs no privilege.
    same = status_of(ordinary_keeper, uid=uid, gid=gid, groups=[int(group) for group in status["Groups"].split()])
    assert (same["Uid"], same["Gid"], same["NoNewPrivs"]) == (status["Uid"], status["Gid"], "0")
    assert status["NoNewPrivs"] == "1" and uid != 0
