"""`supctl apply` of some units: which words mean which, and what is touched (DESIGN, Hot reload)."""

import os

from tests.system.conftest import StartSupd
from tests.system.supd import Supd

WEB = '[service]\nexec_start = "sleep 1000"\n'
NEW = '[service]\nexec_start = "sleep 2000"\n'
OTHER = '[service]\nexec_start = "sleep 3000"\n'
WORKER = '[unit]\ninstances = 2\n[service]\nexec_start = "sleep %i000"\n'


def _runs(supd: Supd, unit: str) -> str:
    """The command line of the unit's main process."""
    with open(f"/proc/{supd.show(unit)['main_pid']}/cmdline", encoding="utf-8") as file:
        return file.read().replace("\0", " ").strip()


def test_patterns_and_templates_mean_their_units_and_no_other_is_touched(make_supd: StartSupd) -> None:
    supd = make_supd({"web": WEB, "other": OTHER, "worker@": WORKER, "idle@": WEB})
    supd.start("--units", "units", "--on-change", "load")
    for unit in ("web", "other", "worker@1", "worker@2"):
        supd.wait_until(unit, "running")
    supd.write("units/worker@.toml", WORKER.replace("000", "001"))
    supd.write("units/web.toml", NEW)
    supd.write("units/other.toml", NEW)
    workers = {"worker@1": "restart", "worker@2": "restart"}
    for words, expected in (
        (["worker@"], workers), (["worker@.toml"], workers), (["worker@?", "worker@1"], workers),
        (["w*"], {**workers, "web": "restart"}), (["web.toml"], {"web": "restart"}),
    ):  # fmt: skip
        plan = supd.json("apply", "--plan", *words)["units"]
        assert {name: change["action"] for name, change in plan.items() if change["action"] != "needs-restart"} == expected
    assert "`supctl apply 'w*'` does it" in supd.supctl("apply", "--plan", "w*").stdout
    supd.supctl("apply", "worker@")
    assert [_runs(supd, unit) for unit in ("worker@1", "worker@2", "other")] == ["sleep 1001", "sleep 2001", "sleep 3000"]
    for more in ([], ["--plan"]):
        assert "there is no unit wbe" in supd.supctl("apply", *more, "wbe", expect=5).stderr
        assert "no unit matches x*" in supd.supctl("apply", *more, "x*", expect=5).stderr
        said = supd.supctl("apply", *more, "idle@", expect=5).stderr
        assert "there is no instance of idle@" in said and "supctl scale idle N" in said


def test_what_is_written_through_another_hard_link_is_seen(start_supd: StartSupd) -> None:
    """Directories are watched, and this one did not change."""
    supd = start_supd({"web": WEB})
    supd.wait_until("web", "running")
    os.link(supd.path("units", "web.toml"), supd.path("elsewhere.toml"))
    with open(supd.path("elsewhere.toml"), "r+", encoding="utf-8") as file:
        file.write(NEW)
    assert supd.json("apply")["units"]["web"] == {"action": "restart", "changed": ["service.exec_start"]}
    assert _runs(supd, "web") == "sleep 2000"
