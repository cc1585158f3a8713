"""The manager's part of a trial before `supctl reexec`: would this code carry on with what is remembered? (keeper/reexec.py)

It loads every module a manager needs and makes an engine of a copy of the table. It writes nothing and touches no service. Any error is no:
its last line on stderr is what the person who asked is told.
"""

from supervisor.config import store
from supervisor.config.load import load
from supervisor.config.mode import Mode
from supervisor.daemon import service, takeover
from supervisor.daemon.definitions import lay_over, units_of
from supervisor.daemon.runrecords import RunRecords
from supervisor.engine import Engine
from supervisor.keeper import reexec


def run(mode: Mode) -> int:
    """The exit status: 0 is yes. Raises whatever is wrong."""
    remembered: dict[str, str] = reexec.decode(reexec.read_table(reexec.TRIAL_VARIABLE))["remembered"]
    last_good = store.read_last_good(mode)
    units = units_of(load(mode) if last_good is None else lay_over(last_good, remembered))
    engine = Engine.restore(units, remembered, seed="")
    RunRecords(engine.core, remembered)
    return 0 if callable(service.run) and callable(takeover.take_over) else 1
