"""Help texts, made from the verb table."""

from supervisor.cli.arguments import usage
from supervisor.cli.verbs import GLOBAL, GROUPS, VERBS, Flag, Verb

_WIDTH = 20

# What the exit statuses have in common; a verb's own help tells what is its own.
EXIT_STATUSES = (
    (0, "it is done, or the answer is yes"),
    (1, "a job failed, or the answer is no"),
    (2, "the command line cannot be understood"),
    (3, "status, is-active: the unit is not active; otherwise: the unit cannot do that"),
    (4, "status, is-*: there is no such unit; otherwise: supd refused"),
    (5, "there is no such unit"),
    (6, "the unit's file has errors"),
    (69, "no supd answers"),
    (124, "wait: the time was over first"),
    (130, "interrupted"),
)

_CLOSING = (
    "A unit may be a pattern ('worker@*'), or be chosen by --state=failed. `supctl help VERB` tells more.",
    "Something is wrong? `supctl status`, then `supctl why UNIT`, then `supctl logs UNIT`.",
)


def overview() -> str:
    """What `supctl` alone prints: the verbs by group."""
    lines = ["supctl VERB [OPTIONS] [UNIT...]: control supd and look at its units", ""]
    for group, title in GROUPS:
        lines.append(f"{title}:")
        lines += [f"  {verb.name:<{_WIDTH}}{verb.summary}" for verb in VERBS if verb.group == group]
        lines.append("")
    lines += ["Options of every verb:", *_flags(GLOBAL), "", *_CLOSING]
    return "\n".join(lines)


def of_verb(verb: Verb) -> str:
    """What `supctl help VERB` prints."""
    lines = [usage(verb), "", f"{verb.summary}."]
    if verb.aliases:
        lines.append(f"Also known as {', '.join(verb.aliases)}.")
    if verb.help:
        lines += ["", verb.help]
    return "\n".join([*lines, "", "Options:", *_flags((*verb.flags, *GLOBAL))])


def _flags(flags: tuple[Flag, ...]) -> list[str]:
    lines = []
    margin = "\n" + " " * (_WIDTH + 2)
    for flag in flags:
        names = ", ".join(flag.names) + (f" {flag.value}" if flag.value else "")
        gap = margin if len(names) > _WIDTH - 2 else ""
        choices = f"{margin}{', '.join(flag.choices)}" if flag.choices else ""
        lines.append(f"  {names:<{_WIDTH}}{gap}{flag.help}{choices}")
    return lines
