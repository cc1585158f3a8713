"""The manager's loop, once the first services are on their way: asyncio, the log pump, probes and the control API.

Imported after the boot. It connects; it decides nothing.
"""

import asyncio
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from supervisor.daemon import leaving, place, recovery
from supervisor.daemon.announce import Announcer
from supervisor.daemon.api.access import Access
from supervisor.daemon.api.server import ApiServer
from supervisor.daemon.audit import Trail
from supervisor.daemon.definitions import Definitions
from supervisor.daemon.execprobes import ExecProbes
from supervisor.daemon.forwarding import Forwarding
from supervisor.daemon.history import History
from supervisor.daemon.logfollow import LogFollowers
from supervisor.daemon.options import Options
from supervisor.daemon.pool import Pool
from supervisor.daemon.probes import Probes
from supervisor.daemon.reactor import LoopReactor
from supervisor.daemon.reload import Reloader
from supervisor.daemon.roles import Roles
from supervisor.daemon.selfnotify import SelfNotify
from supervisor.daemon.shell import Shell
from supervisor.daemon.supervision import World

if TYPE_CHECKING:
    from supervisor.config.mode import Mode

KEEPER_GONE = 1
AUDIT_FLUSH_S = 5.0
HISTORY_FLUSH_S = 5.0
FORWARD_FLUSH_S = 2.0
ROLES_WAIT_S = 5.0


def run(shell: Shell, definitions: Definitions, announcer: Announcer, options: Options, mode: "Mode", started_s: float) -> int:
    """Serve until the engine leaves or the keeper is gone. Returns the exit status."""
    return asyncio.run(_serve(shell, definitions, announcer, options, mode, started_s))


def _history(shell: Shell, mode: "Mode", loop: asyncio.AbstractEventLoop) -> History:
    """The thread of history, and the way back: what is on disk with its end need not be remembered any longer."""

    def forget(keys: list[str]) -> None:
        shell.link.send(shell.run_records.on_written(keys), [])
        shell.watch_link()

    def on_written(keys: list[str]) -> None:
        try:
            loop.call_soon_threadsafe(forget, keys)
        except RuntimeError:
            pass  # the loop has ended: the next manager finds them remembered and writes them again, which changes nothing

    history = History(mode.state_directory, shell.run_records.open_ids, on_written, loop.call_later)
    shell.run_records.attach(history.put)
    return history


def _forwarding(shell: Shell, announcer: Announcer, loop: asyncio.AbstractEventLoop) -> Forwarding:
    """What sends logs elsewhere; what its threads want of the loop waits for the loop's next turn."""

    def keep(texts: dict[str, str]) -> None:
        shell.link.send(texts, [])
        shell.watch_link()

    def on_loop(act: Callable[[], object]) -> None:
        try:
            loop.call_soon_threadsafe(act)
        except RuntimeError:
            pass  # the loop has ended: the next manager sends the lines of the last second again

    remembered: dict[str, str] = shell.link.table["remembered"]
    return Forwarding(
        shell.pump, remembered, lambda texts: on_loop(lambda: keep(texts)), lambda text: on_loop(lambda: announcer.say("warning", text))
    )


async def _serve(shell: Shell, definitions: Definitions, announcer: Announcer, options: Options, mode: "Mode", started_s: float) -> int:
    shell.link.die_with_keeper()
    loop = asyncio.get_running_loop()
    loop.set_default_executor(Pool())
    ended: asyncio.Future[int] = loop.create_future()

    def end(status: int) -> None:
        if not ended.done():
            ended.set_result(status)

    shell.on_leave = end
    outside = SelfNotify(os.environ)
    shell.on_keeper_gone = lambda: os._exit(KEEPER_GONE)  # at once: nothing may be done without the keeper
    reloads: set[asyncio.Task[object]] = set()
    access = Access(os.geteuid(), place.group_id(options.socket_group))
    roles = Roles(mode, access, shell.link, place.socket_path(options, mode), announcer.say)
    trail = Trail(mode.state_directory)

    def on_hangup() -> None:
        announcer.say("info", "SIGHUP: reading the unit files again")
        task: asyncio.Task[object] = loop.create_task(roles.reload(definitions))
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    shell.on_hangup = on_hangup
    if shell.leave_status is not None:
        return shell.leave_status
    shell.reactor.attach(LoopReactor(loop))
    loop.add_reader(shell.link.fileno(), shell.on_link_readable)
    shell.pump.start()
    followers = LogFollowers(shell.pump, shell.reactor)
    exec_probes = ExecProbes(shell)
    shell.spawning.attach_probes(exec_probes)
    shell.attach_probes(Probes(shell.reactor, shell.post, exec_probes.run, followers, shell.spawning.passing.ready_pipes))
    reloader = Reloader(shell, definitions, announcer.say)
    world = World(shell, definitions, announcer, started_s, roles, trail, reloader)
    history = _history(shell, mode, loop)
    forwarding = _forwarding(shell, announcer, loop)
    world.attach_history(history)
    world.attach_forwarding(forwarding)
    reading: asyncio.Task[object] = loop.create_task(roles.start())
    # Not for ever: names are looked up in a user database that may hang, and its owner must reach supd even then.
    await asyncio.wait({reading}, timeout=ROLES_WAIT_S)
    api = ApiServer(world, roles.access, lambda text: announcer.say("warning", text), audit=trail.record)
    roles.on_change = api.set_access
    if reading.done():
        reading.result()
    else:
        announcer.say("warning", "the roles of supd.toml are not read yet; until they are, only the owner and root are answered")
    await api.start(shell.link.stored["control"])
    shell.on_link_readable()
    announcer.say("debug", f"the control socket is {place.socket_path(options, mode)}")
    outside.say("READY=1", f"STATUS={len(shell.engine.core.specs)} units loaded")
    outside.keep_alive(loop)
    telling = loop.create_task(leaving.tell(shell, announcer))
    reloader.start()
    status = await ended
    reloader.close()
    outside.say("STOPPING=1")
    telling.cancel()
    await api.close()
    await asyncio.to_thread(trail.close, AUDIT_FLUSH_S)
    await asyncio.to_thread(history.close, HISTORY_FLUSH_S)
    await asyncio.to_thread(forwarding.close, FORWARD_FLUSH_S)
    try:
        os.unlink(place.socket_path(options, mode))
    except OSError:
        pass  # somebody has cleaned up before us
    shell.close()
    if not shell.keeps_services:
        try:
            os.unlink(recovery.path_of(mode.state_directory))  # nothing is left that a next supd should find
        except OSError:
            pass  # a journal without living runs does no harm
    return status
