"""Brief objects as supd sends them, for tests of what is made of them."""

from typing import Any

Json = dict[str, Any]
NOW_S = 1_700_000_000.0


def brief(name: str, active: str = "active", sub: str = "running", **more: Any) -> Json:
    """A loaded service of this state, five minutes old."""
    base = {
        "id": name, "kind": "service", "description": f"The {name}", "load_state": "loaded", "active_state": active, "sub_state": sub,
        "result": "success", "main_pid": 100 if sub == "running" else 0, "n_restarts": 0, "enabled": "enabled", "needs_restart": False,
        "rolled_back": "", "status_text": "", "active_enter_time_s": NOW_S - 300 if active == "active" else None,
        "inactive_enter_time_s": None, "state_change_time_s": NOW_S - 300, "job": None,
    }  # fmt: skip
    return {**base, **more}
