"""The man pages: supctl(1) from the verb table, supd(1) from its table of options, supd.unit(5) from the schema."""

import keys

import supervisor
from supervisor.cli.arguments import usage
from supervisor.cli.help import EXIT_STATUSES
from supervisor.cli.verbs import GLOBAL, GROUPS, VERBS, Flag, Verb
from supervisor.config.schema import KeyInfo
from supervisor.daemon.options import CHOICES, USAGE

_ENVIRONMENT = (
    ("SUPD_SOCKET", "The control socket to talk to, unless --socket names one."),
    ("NO_COLOR", "No colours; every colour stands beside a word or a symbol that says the same."),
    ("VISUAL, EDITOR", "The editor of supctl edit."),
)
_SOCKETS = (
    "supctl talks to the first socket of: --socket, $SUPD_SOCKET, the nearest .supd/supd.sock here or in a parent directory (never as "
    "root), the user's instance, the system's. Whoever listens there must be the caller or root, unless --socket named it."
)
_UNIT_FILES = (
    "One TOML file is one unit; its name without .toml is the unit's. Exactly one of the tables [service], [task] and [target] says what "
    "it is. Files in NAME.toml.d/*.toml are merged over it in the order of their names: tables merge, other values replace. "
    'include = ["base.toml"], before the first table, merges files underneath. A template NAME@.toml makes the units NAME@INSTANCE.',
    "A key is systemd's directive in snake_case with systemd's meaning; booleans, lists and tables are TOML's. A time span is a string "
    'such as "1min 30s", "500ms" or "infinity", or a number of seconds; a size is a string such as "64M", or a number of bytes. Where a '
    "list is expected, a single value is a list of one. An unknown key or a wrong value is an error that names file and line; supctl "
    "verify shows all of them.",
    "supd watches the directories: a saved file is in force at once, or after supctl apply where on_change is ignore. What is written "
    "through another name of the same file (a hard link elsewhere, the outside of a container that has the file alone mounted) changes no "
    "directory; supctl apply reads it.",
    "Command lines are split into words as systemd splits them, and no shell is involved. Specifiers such as %i and %n stand for what "
    "systemd.unit(5) says, for names without a suffix.",
)


_ROFF = str.maketrans({"\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti"})


def supctl() -> str:
    out = [_head("SUPCTL", 1), _section("NAME"), "supctl \\- control supd and look at its units", _section("SYNOPSIS")]
    out += [".B supctl", r"\fIVERB\fR [\fIOPTIONS\fR] [\fIUNIT\fR...]"]
    out += [_section("DESCRIPTION"), _plain(_SOCKETS), ".PP", _plain("A unit may be a pattern, as 'worker@*'; quote it for the shell.")]
    out += [_section("VERBS")]
    for group, title in GROUPS:
        out.append(f".SS {_plain(title)}")
        for verb in VERBS:
            if verb.group == group:
                out += _verb(verb)
    out += [_section("OPTIONS OF EVERY VERB"), *_flags(GLOBAL)]
    out += [_section("EXIT STATUS"), *_terms([(str(number), text) for number, text in EXIT_STATUSES])]
    out += [_section("ENVIRONMENT"), *_terms(_ENVIRONMENT)]
    out += [_section("SEE ALSO"), r"\fBsupd\fR(1), \fBsupd.unit\fR(5)"]
    return _joined(out)


def _verb(verb: Verb) -> list[str]:
    words = usage(verb).removeprefix("supctl ").partition(" ")
    out = [".TP", rf"\fB{_plain(words[0])}\fR {_plain(words[2])}".rstrip(), _plain(f"{verb.summary}.")]
    if verb.aliases:
        out += [_plain(f"Also known as {', '.join(verb.aliases)}.")]
    if verb.help:
        out += [_plain(line) for line in verb.help.splitlines()]
    return [*out, ".RS", *_flags(verb.flags), ".RE"] if verb.flags else out


def _flags(flags: tuple[Flag, ...]) -> list[str]:
    out = []
    for flag in flags:
        names = ", ".join(rf"\fB{_plain(name)}\fR" for name in flag.names) + (rf" \fI{flag.value}\fR" if flag.value else "")
        choices = f": {', '.join(flag.choices)}" if flag.choices else ""
        out += [".TP", names, _plain(f"{flag.help}{choices}.")]
    return out


def supd() -> str:
    """The options are read from the text that `supd --help` prints, so that the two cannot differ."""
    intro, _, rest = USAGE.partition("usage: supd [options]\n\n")
    table, _, notes = rest.partition("\n\n")
    out = [_head("SUPD", 1), _section("NAME"), _plain(intro.strip()).replace("supd \\- ", "supd \\- ", 1)]
    out += [_section("SYNOPSIS"), r"\fBsupd\fR [\fIOPTIONS\fR]", _section("DESCRIPTION")]
    out += [_plain("supd stays in the foreground and supervises the units of its unit directories, with systemd's semantics."), ".PP"]
    out += [_plain(" ".join(notes.split())), _section("OPTIONS")]
    for line in table.splitlines():
        names, _, meaning = line.strip().partition("  ")
        flag, _, value = names.partition(" ")
        choices = f" ({', '.join(CHOICES[flag])})" if flag in CHOICES and not all(one in meaning for one in CHOICES[flag]) else ""
        term = rf"\fB{_plain(flag)}\fR" + (rf" \fI{value}\fR" if value else "")
        out += [".TP", term, _plain(f"{meaning.strip()}{choices}.")]
    out += [_section("SIGNALS")]
    out += _terms([("SIGTERM, SIGINT", "Stop every unit in order, then end; a second one kills what is left.")])
    out += [_section("SEE ALSO"), r"\fBsupctl\fR(1), \fBsupd.unit\fR(5)"]
    return _joined(out)


def unit() -> str:
    out = [_head("SUPD.UNIT", 5), _section("NAME"), "supd.unit \\- unit files of supd", _section("DESCRIPTION")]
    out += [line for text in _UNIT_FILES for line in (_plain(text), ".PP")][:-1]
    out += [_section("EXAMPLE"), ".nf", "[unit]", 'depends_on = ["db"]', "", "[service]", 'type = "notify"']
    out += ['exec_start = "gunicorn app:app"', 'restart = "on-failure"', 'environment = { PORT = "8000" }', ".fi"]
    for section in keys.sections():
        out += [_section(section.title.replace("[", "").replace("]", "").upper()), _plain(section.about)]
        for info in section.keys:
            out += _key(info)
    out += [_section("SEE ALSO"), r"\fBsupd\fR(1), \fBsupctl\fR(1), \fBsystemd.unit\fR(5), \fBsystemd.service\fR(5), \fBsystemd.exec\fR(5)"]
    return _joined(out)


def _key(info: KeyInfo) -> list[str]:
    default = keys.toml(info.default)
    text = f"{info.meaning} Type: {info.kind}." if info.is_supported else f"{info.meaning} Not supported yet."
    if default not in ("", "[]", "{}", '""'):
        text += f" Default: {default}."
    unlike = keys.difference(info)
    if unlike is not None:
        text += f" Unlike systemd ({unlike.systemds}): {unlike.ours}. {unlike.reason}"
    directive = rf" (\fI{_plain(info.systemd)}=\fR)" if info.systemd else ""
    return [".TP", rf"\fB{_plain(info.name)}\fR{directive}", _plain(text)]


def _terms(pairs: "tuple[tuple[str, str], ...] | list[tuple[str, str]]") -> list[str]:
    return [line for term, text in pairs for line in (".TP", rf"\fB{_plain(term)}\fR", _plain(text))]


def _head(title: str, section: int) -> str:
    # No date: a page that changes every day could not be compared.
    return f'.TH {title} {section} "" "supd {supervisor.__version__}"'


def _section(title: str) -> str:
    return f".SH {title}"


def _plain(text: str) -> str:
    """Text that roff prints as it stands (groff_man_style(7), "Portability")."""
    text = text.translate(_ROFF)
    return "\\&" + text if text.startswith(".") else text


def _joined(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"
