"""After a crash of the manager: what the records do not hold is derived from them, and what was under way is asked for again.

Effects that the keeper carried out are not repeated: spawns and signals to known runs were in one atom with the record.
Everything else is asked for again and is harmless to repeat.
"""

from supervisor.engine import environment, exits, killing, phases, probing
from supervisor.engine.core import Core
from supervisor.engine.record import UnitState
from supervisor.model.effects import CheckConditions, Kill, Leave, Prepare, Release, WatchEmpty
from supervisor.model.states import Phase


def rebuild(core: Core) -> None:
    """Derive counts and sets from the records that were read."""
    core.job_count = sum(state.job is not None for state in core.states.values())
    core.not_down = {name for name, state in core.states.items() if not state.active.is_down}
    core.idle_pending = {name: None for name, state in sorted(core.states.items()) if state.main is not None and state.main.stage == "idle"}


def ask_again(core: Core) -> None:
    for _, state in sorted(core.states.items()):
        spec = core.specs.get(state.name)
        if spec is None:
            continue
        if state.check:
            core.emit(CheckConditions(state.name, state.check))
        if spec.service is None:
            continue
        if state.active.is_down and state.invocation_id:
            core.emit(Release(state.name))
        _prepare_again(core, state)
        if state.sub in phases.KILL_STATES:
            _kill_others_again(core, state)
        if state.empty_token:
            core.emit(WatchEmpty(state.name, state.empty_token))
        if state.pid_file_token:
            core.emit(exits.pid_file_question(spec.service, state))
        probing.resume(core, state)
    if core.left and core.leaving is not None:
        core.emit(Leave(*core.leaving, is_forced=bool(core.not_down or core.job_count)))


def _prepare_again(core: Core, state: UnitState) -> None:
    service = phases.service_of(core, state)
    for process in (state.main, state.control):
        if process is None or process.stage not in ("preparing", "spawning"):
            continue
        # A run that was already with the keeper is answered by the keeper's table; preparing it again does no harm.
        commands = phases.commands_of(service, Phase(process.phase))
        if process.stage == "preparing" and process.index < len(commands):
            is_main = process is state.main
            if state.sub == phases.S.START and process.index == 0 and (service.exec_condition or service.exec_start_pre):
                # Whether what these left behind was killed is not known (lifecycle.enter_start).
                core.emit(Kill(state.name, phases.SIGKILL, "all"))
            variables = environment.variables(core, state, process, is_main=is_main)
            core.emit(Prepare(state.name, process.run, process.phase, commands[process.index], state.invocation_id, variables))


def _kill_others_again(core: Core, state: UnitState) -> None:
    """The known processes were signalled with the record; whether the others were is not known."""
    service = phases.service_of(core, state)
    is_kill = state.sub in phases.SIGKILL_STATES
    if not state.empty_token or state.is_empty or not killing.kills_all(service, state.sub):
        return
    known = [p for p in (state.main, state.control) if p is not None and p.pid]
    signal = killing.signal_for(core, state, service, state.sub)
    core.emit(
        Kill(
            state.name,
            signal,
            "others",
            tuple(p.pid for p in known),
            tuple(p.run for p in known),
            and_continue=not is_kill,
            is_repeated=is_kill and signal == phases.SIGKILL,
        )
    )
