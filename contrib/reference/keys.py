"""KEYS.md: every key of a unit file and of `supd.toml`, from the schema and the table of differences."""

from typing import NamedTuple

from supervisor.config.differences import DIFFERENCES, Difference
from supervisor.config.hints import all_keys
from supervisor.config.roles import RoleTable
from supervisor.config.schema import KeyInfo, keys_of

_INTRODUCTION = """\
# Keys of a unit file

Made by `python contrib/reference` from the schema that supd checks unit files with; do not edit it. Every key is systemd's
directive in snake_case with systemd's meaning, unless the last column says otherwise; `systemd.unit(5)`, `systemd.service(5)`,
`systemd.exec(5)` and `systemd.kill(5)` tell the rest.

A time span is a string such as `"1min 30s"`, `"500ms"` or `"infinity"`, or a number of seconds. A size is a string such as
`"64M"` (powers of 1024), or a number of bytes. Where a list is expected, a single value is a list of one. A key marked *not yet*
is known and refused with an error, never ignored.
"""

_ROLES = """\
## [[role]], in supd.toml

Who besides the owner and root may ask supd for what: [README.md](README.md#roles) explains it. `level` is needed, and `users` or
`groups`; as many roles as wanted, and they add up.
"""


class Section(NamedTuple):
    """One heading with its keys; `tables` are the tables of a file that may hold them."""

    tables: tuple[str, ...]
    about: str
    keys: list[KeyInfo]

    @property
    def title(self) -> str:
        return ", ".join(f"[{table}]" for table in self.tables)


_ABOUT = {
    ("unit",): "What a unit is to other units. Every kind of unit may have this table.",
    ("service",): "A program that is kept running.",
    ("task",): "A program that runs to its end: a oneshot service that counts attempts.",
    ("service", "task"): "What a service and a task have in common: commands, stopping, and what every process is started with.",
    ("target",): "A group of units. The table has no keys.",
    ("log",): "How output is kept.",
}
_PROBES = ("service.startup", "service.ready", "service.health")
_ABOUT[_PROBES] = "Questions asked of a running service; a table, or a list of tables of which all must hold."


def sections() -> list[Section]:
    """The keys in the order in which a person reads them; a key that two tables share stands once, under both."""
    by_table: dict[str, list[KeyInfo]] = {}
    for info in all_keys():
        by_table.setdefault(info.table, []).append(info)
    service, task = (by_table.pop(table, []) for table in ("service", "task"))
    twins = {_without_table(info) for info in task}
    shared = [info for info in service if _without_table(info) in twins]
    names = {info.name for info in shared}
    found = {
        ("unit",): by_table.pop("unit", []),
        ("service",): [info for info in service if info.name not in names],
        ("task",): [info for info in task if info.name not in names],
        ("service", "task"): shared,
        _PROBES: by_table.pop(_PROBES[0]),
        ("target",): [],
    }
    found.update({(table,): keys for table, keys in by_table.items() if table not in _PROBES})
    return [Section(tables, _ABOUT.get(tables, ""), keys) for tables, keys in found.items()]


def _without_table(info: KeyInfo) -> tuple[object, ...]:
    return (info.name, info.kind, str(info.default), info.systemd, info.meaning, info.is_supported)


def difference(info: KeyInfo) -> Difference | None:
    return next((one for one in DIFFERENCES if one.key == f"{info.table}.{info.name}"), None)


def toml(value: object) -> str:
    """A default as it would be written in a unit file; empty when there is none."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"'
    return "{}" if value == {} else str(value)


def page() -> str:
    lines = [_INTRODUCTION]
    for section in sections():
        lines += [f"## {section.title}", "", section.about, ""]
        if section.keys:
            lines += ["| key | type | default | meaning | systemd | difference |", "| --- | --- | --- | --- | --- | --- |"]
            lines += [_row(info) for info in section.keys] + [""]
    lines += [_ROLES, "| key | type | meaning |", "| --- | --- | --- |"]
    lines += [f"| `{info.name}` | {_cell(info.kind)} | {_cell(info.meaning)} |" for info in keys_of("role", RoleTable)] + [""]
    lines += ["## Differences from systemd", "", "| key | here | systemd | why |", "| --- | --- | --- | --- |"]
    lines += ["| " + " | ".join(_cell(text) for text in (f"`{one.key}`", one.ours, one.systemds, one.reason)) + " |" for one in DIFFERENCES]
    return "\n".join(lines) + "\n"


def _row(info: KeyInfo) -> str:
    default = toml(info.default)
    unlike = difference(info)
    cells = (
        f"`{info.name}`",
        info.kind if info.is_supported else "*not yet*",
        f"`{default}`" if default else "",
        info.meaning,
        f"`{info.systemd}=`" if info.systemd else "supd's own",
        f"{unlike.ours}; systemd: {unlike.systemds}" if unlike else "",
    )
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
