"""The manager comes up: from the keeper's table to a shell whose first services are on their way, or whose runs are taken over.

The order matters: nothing that the first service does not need is imported before it is spawned, so asyncio, the API and the probes come
after this. What is needed is imported while another process reads the unit files, if they must be read (`main`).
"""

import os
from typing import TYPE_CHECKING, Any

from supervisor import __version__
from supervisor.config import store
from supervisor.config.aside import Loading
from supervisor.daemon import environment, notifydirectory, place, recovery
from supervisor.daemon import options as opts
from supervisor.daemon.announce import Announcer
from supervisor.daemon.definitions import Definitions, lay_over, units_of
from supervisor.daemon.intents import Intents
from supervisor.daemon.link import KeeperLink
from supervisor.daemon.logs import LogPump
from supervisor.daemon.notify import NotifySockets
from supervisor.daemon.ownlog import OwnLog
from supervisor.daemon.prepare import Context, Preparer
from supervisor.daemon.processes import Processes
from supervisor.daemon.reactor import Registrations
from supervisor.daemon.shell import Shell, boot_id, random_seed
from supervisor.engine import Engine
from supervisor.engine.engine import UNIT_PREFIX
from supervisor.model.errors import SupdError
from supervisor.model.events import Booted

if TYPE_CHECKING:
    from supervisor.config.mode import Mode
    from supervisor.config.result import LoadResult

REDUCED_KEY = "reduced"  # as in reduced: takeovers that failed in a row


def _open_own_log(shell: Shell, announcer: Announcer) -> None:
    try:
        announcer.attach_log(OwnLog.open(shell.pump, shell.link).write)
    except OSError as error:
        announcer.say("warning", f"cannot keep a log of supd itself: {error.strerror}; what it says is on its standard error alone")


def come_up(
    options: opts.Options, mode: "Mode", link: KeeperLink, announcer: Announcer, loading: Loading | None
) -> tuple[Shell, Definitions]:
    """Everything but the loop, with the first services on their way. `loading` is that of a boot; None: a manager before this one died."""
    has_booted = loading is None
    if has_booted:
        place.prepare(mode)
    if "control" not in link.stored:
        _take_place(options, mode, link)
    found = recovery.found(link.table, mode.state_directory, boot_id())
    if found is not None:
        link.table["remembered"] = found["remembered"]
    in_force = link.table["remembered"] if has_booted or found is not None else None
    definitions = Definitions(_load(mode, in_force, loading), announcer.say, announcer.on_files)
    shell = _assemble(mode, link, definitions, announcer)
    _open_own_log(shell, announcer)
    if has_booted:
        _take_over(shell, announcer)
    else:
        # The records first, then the file: from here on this keeper's death is survived too.
        link.send(recovery.to_remember(link.table["remembered"], found, boot_id()), [["journal", recovery.path_of(mode.state_directory)]])
        definitions.report()
        _boot(shell, options.target, announcer, mode, found)
    link.send({REDUCED_KEY: ""}, [["ready"]])
    return shell, definitions


def come_up_reduced(mode: "Mode", link: KeeperLink, announcer: Announcer, error: Exception, started_s: float) -> int:
    """The takeover failed, and services run: be there for them as far as that can be."""
    from supervisor.daemon import reduced

    why = str(error)
    if not isinstance(error, SupdError):
        import traceback

        traceback.print_exc()
        why = f"{type(error).__name__}: {error}"
    announcer.say("error", f"the manager cannot work: {why}; services run on, and it is tried again")
    return reduced.run(link, mode.state_directory, why, started_s)


def _load(mode: "Mode", in_force: dict[str, str] | None, loading: Loading | None) -> "LoadResult":
    """At a boot what the files say. Where services may run, what was in force: a crash changes nothing, and what is new goes by a plan."""
    if in_force is not None and (last_good := store.read_last_good(mode)) is not None:
        if loading is not None:
            loading.drop()
        return lay_over(last_good, in_force)
    return (loading or Loading(mode)).result()


def _take_place(options: opts.Options, mode: "Mode", link: KeeperLink) -> None:
    """The lock and the control socket: made once, then the keeper's for as long as it lives."""
    lock = place.lock(mode)
    control = place.listen(place.socket_path(options, mode), place.group_id(options.socket_group))
    link.send({}, [["store", "lock", True], ["store", "control", False]], [lock, control])
    os.close(lock)
    link.stored["control"] = control


def _assemble(mode: "Mode", link: KeeperLink, definitions: Definitions, announcer: Announcer) -> Shell:
    """Every part the first spawn needs, connected."""
    registrations = Registrations()
    remembered: dict[str, str] = link.table["remembered"]
    definitions.instantiate_known(key.removeprefix(UNIT_PREFIX) for key in remembered if key.startswith(UNIT_PREFIX))
    units = units_of(definitions.loaded)
    engine = Engine.restore(units, remembered, seed=random_seed()) if remembered else Engine(units, seed=random_seed())
    own = environment.own(os.environ)
    shell_box: list[Shell] = []

    def notify_path(unit: "object") -> str:
        notify = shell_box[0].notify
        return (notify.path_of(unit.id) if notify is not None else None) or ""  # type: ignore[attr-defined] # a specification.Unit

    keeper_pid = link.table["keeper_pid"]
    context = Context(
        mode=mode.kind,
        base_environment=own if mode.inherits_environment else environment.clean_base(os.environ, mode.kind == "system"),
        own_environment=own,
        directory=mode.working_directory,
        roots={
            "runtime": mode.runtime_root,
            "state": mode.state_root,
            "cache": mode.cache_root,
            "logs": mode.logs_root,
            "configuration": mode.configuration_root,
        },
        notify_socket_path=notify_path,
        keeper_pid=keeper_pid,
    )
    processes = Processes(_instance(mode), registrations, keeper_pid, os.environ.get("SUPD_TRACKING", ""))
    pump = LogPump(os.path.join(mode.state_directory, "logs"))
    shell = Shell(engine, link, registrations, processes, pump, Preparer(context), Intents(mode.state_directory))
    shell_box.append(shell)
    directory = notifydirectory.choose(mode.runtime_directory, mode.state_directory)
    shell.notify = NotifySockets(
        directory,
        registrations,
        processes,
        shell.spawning.on_notified,
        lambda unit, text: announcer.event(unit, "notify", text, {}),
        shell.spawning.learn_forks,
    )
    shell.on_record = announcer.on_record
    shell.on_job = announcer.on_job
    definitions.attach(shell)
    return shell


def _instance(mode: "Mode") -> str:
    """A name for this supd's cgroups that no other supd on this machine has."""
    from binascii import crc32

    return f"{crc32(mode.state_directory.encode('utf-8', 'surrogateescape')):08x}"


def _boot(shell: Shell, target: str, announcer: Announcer, mode: "Mode", found: "dict[str, Any] | None") -> None:
    """Start what is enabled: the keeper forks while this process goes on importing. Done once, though managers may die on the way."""
    core, goes_on = shell.engine.core, False
    if target and core.aliases.get(target, target) not in core.specs:
        raise place.PlaceError(f"cannot start --target {target}: there is no such unit")
    where = ", ".join(mode.unit_directories)
    announcer.say("info", f"{__version__}, {mode.kind} mode, {len(core.specs)} units from {where}")
    if found is not None:
        from supervisor.daemon import takeover

        announcer.say("warning", "a supd before this one was killed, or told to keep its services; what it had started is taken over")
        goes_on = takeover.recover(shell, found) and not target
    elif shell.link.table["starts"] > 1:
        from supervisor.daemon import takeover

        takeover.take_over(shell)  # of whatever the boot that was cut short had come to
    for intent in shell.intents.events():
        shell.post(intent)
    shell.finish()
    shell.also_remember(recovery.BOOTED)
    if goes_on:
        shell.carry_out([])
    else:
        shell.take(Booted(target))


def _take_over(shell: Shell, announcer: Announcer) -> None:
    """A manager before this one died: go on where it was, with what happened meanwhile."""
    from supervisor.daemon import takeover

    announcer.say("warning", "the manager was started again; no service was touched")
    takeover.take_over(shell)
