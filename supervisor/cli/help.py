"""Help texts, made from the verb table."""

from supervisor.cli.arguments import usage
from supervisor.cli.verbs import GLOBAL, GROUPS, VERBS, Flag, Verb

_WIDTH = 20


def overview() -> str:
    """What `supctl` alone prints: the verbs by group."""
    lines = ["supctl VERB [OPTIONS] [UNIT...]", ""]
    for group, title in GROUPS:
        lines.append(f"{title}:")
        lines += [f"  {verb.name:<{_WIDTH}}{verb.summary}" for verb in VERBS if verb.group == group]
        lines.append("")
    lines += [*_flags(GLOBAL), "", "A unit may be a pattern ('worker@*'). `supctl help VERB` tells more."]
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
    margin = "\n" + " " * (_WIDTH + 6)
    for flag in flags:
        names = ", ".join(flag.names) + (f" {flag.value}" if flag.value else "")
        gap = margin if len(names) > _WIDTH + 2 else ""
        choices = f"{margin}{', '.join(flag.choices)}" if flag.choices else ""
        lines.append(f"  {names:<{_WIDTH + 4}}{gap}{flag.help}{choices}")
    return lines
