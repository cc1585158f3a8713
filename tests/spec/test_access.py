"""Who may ask what: the rule as tables, held against peers by uid, group and unit; and what reaches what in the table of routes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.daemon.api.access import Access, Grant, Right, allows
from supervisor.daemon.api.handlers import ROUTES
from supervisor.daemon.api.service import Peer
from supervisor.model.roles import LEVELS, Role

OWNER, ANN, BOB, OPS, STAFF = 500, 1000, 1001, 4321, 50

ROLES = (
    Role("view", uids=frozenset({ANN})),
    Role("operate", uids=frozenset({ANN}), patterns=("web", "worker@*")),
    Role("operate", gids=frozenset({OPS}), patterns=("db",)),
    Role("admin", gids=frozenset({OPS}), patterns=("db-[0-9]",)),
)

# uid, gid, further groups; then the level on web, worker@1, db, db-7, mail, and on everything.
PEERS = {
    "the owner": (OWNER, 1, (), ("admin",) * 5, "admin"),
    "root": (0, 0, (), ("admin",) * 5, "admin"),
    "a user with two roles": (ANN, 1, (), ("operate", "operate", "view", "view", "view"), "view"),
    "a member of the group": (BOB, 1, (7, OPS), (None, None, "operate", "admin", None), None),
    "one whose own group it is": (BOB, OPS, (), (None, None, "operate", "admin", None), None),
    "roles of user and group add up": (ANN, OPS, (), ("operate", "operate", "operate", "admin", "view"), "view"),
    "the socket's group": (BOB, STAFF, (), ("operate",) * 5, "operate"),
    "the socket's group and another": (BOB, STAFF, (OPS,), ("operate", "operate", "operate", "admin", "operate"), "operate"),
}


@pytest.mark.parametrize(("uid", "gid", "groups", "levels", "everywhere"), PEERS.values(), ids=PEERS.keys())
def test_the_level_of_a_peer_on_a_unit(
    uid: int, gid: int, groups: tuple[int, ...], levels: tuple[str | None, ...], everywhere: str | None
) -> None:
    grant = Access(OWNER, STAFF, "operate", ROLES).grant_of(Peer(uid, gid, 1), frozenset(groups))
    assert grant is not None
    assert tuple(grant.level_for(unit) for unit in ("web", "worker@1", "db", "db-7", "mail")) == levels
    assert grant.level_everywhere() == everywhere
    assert grant.is_uniform == (len(set(levels)) == 1)


STRANGERS = {
    "a stranger": (BOB, 1, ()),
    "a uid that is the number of a group with a role": (OPS, 1, ()),
    "a group that is the number of a user with a role": (BOB, ANN, (ANN,)),
    "root's group": (BOB, 0, (0,)),
    "the owner's group": (BOB, OWNER, (OWNER,)),
}


@pytest.mark.parametrize(("uid", "gid", "groups"), STRANGERS.values(), ids=STRANGERS.keys())
def test_whom_nobody_named_has_nothing(uid: int, gid: int, groups: tuple[int, ...]) -> None:
    assert Access(OWNER, STAFF, "operate", ROLES).grant_of(Peer(uid, gid, 1), frozenset(groups)) is None


OPENINGS = {
    "no role": ((), False),
    "a role for root and the owner alone": ((Role("view", uids=frozenset({0, OWNER})),), False),
    "a role for nobody": ((Role("view"),), False),
    "a role for a user": ((Role("view", uids=frozenset({ANN})),), True),
    "a role for a group": ((Role("view", gids=frozenset({0})),), True),
}


@pytest.mark.parametrize(("roles", "expected"), OPENINGS.values(), ids=OPENINGS.keys())
def test_the_socket_is_opened_only_for_somebody_else(roles: tuple[Role, ...], expected: bool) -> None:
    assert Access(OWNER, roles=roles).lets_others_in is expected


@pytest.mark.parametrize("level", [None, *LEVELS])
@pytest.mark.parametrize("needed", LEVELS)
def test_a_level_reaches_those_below_it(level: str | None, needed: str) -> None:
    order = [None, *LEVELS]
    assert allows(level, needed) == (order.index(level) >= order.index(needed))


def test_each_route_names_a_level_and_what_it_must_hold_on() -> None:
    """The exceptions by name; every other route follows from its path and from whether it changes something."""
    found = {f"{route.method} {route.path}": (route.access, route.reaches) for route in ROUTES}
    special = {
        "POST /v1/units/{name}/isolate": ("operate", "all"),
        "POST /v1/units/{name}/scale": ("operate", "template"),
        "DELETE /v1/jobs/{id}": ("operate", "any"),
        "GET /v1/units/{name}/log": ("view", "log"),
        "GET /v1/units/{name}/log/lines": ("view", "log"),
    }
    for route in ROUTES:
        name = f"{route.method} {route.path}"
        reach = "unit" if "{name}" in route.path else "all" if route.changes else "any"
        assert found[name][1] == special.get(name, ("", reach))[1], name
        assert (route.access == "view") == (not route.changes), name
    assert {name: found[name] for name in special} == special


VERBS = {
    "GET /v1/units": "units", "GET /v1/units/{name}": "show", "GET /v1/units/{name}/why": "why", "POST /v1/units/{name}/start": "start",
    "GET /v1/jobs/{id}": "show", "DELETE /v1/jobs/{id}": "cancel", "POST /v1/shutdown": "shutdown", "GET /metrics": "metrics",
}  # fmt: skip


def test_the_word_for_a_route_in_the_audit_trail() -> None:
    verbs = {f"{route.method} {route.path}": route.verb for route in ROUTES}
    assert {name: verbs[name] for name in VERBS} == VERBS


_rights = st.builds(Right, st.sampled_from(LEVELS), st.none() | st.lists(st.sampled_from(["a", "b*", "*", "[!a]"]), min_size=1).map(tuple))


@given(st.lists(_rights, min_size=1, max_size=4), st.sampled_from(["a", "b", "bc", "d"]), _rights)
def test_one_more_right_never_takes_anything_away(rights: list[Right], unit: str, more: Right) -> None:
    before, after = Grant(tuple(rights)), Grant((*rights, more))
    for level in LEVELS:
        assert allows(after.level_for(unit), level) >= allows(before.level_for(unit), level)
        assert allows(after.level_everywhere(), level) >= allows(before.level_everywhere(), level)
        assert allows(before.level_for(unit), level) >= allows(before.level_everywhere(), level)
        assert allows(before.level_somewhere(), level) >= allows(before.level_for(unit), level)
