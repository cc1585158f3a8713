"""Writes every page under contrib/ that is made from the program's own tables: completions, man pages, KEYS.md, the JSON schema.

    python contrib/reference            write them
    python contrib/reference --check    write nothing; name those that are not current, and leave with 1
    python contrib/reference --messages print every message that supd and supctl have for a person, on one page

It never holds a fact of its own about a verb, an option or a key.
"""

import sys
from pathlib import Path

CONTRIB = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(CONTRIB.parent), str(CONTRIB / "reference")]

import editor  # noqa: E402  - the two directories above are where these are found
import keys  # noqa: E402  - as above
import manual  # noqa: E402  - as above
import messages  # noqa: E402  - as above

from supervisor.cli.completion import SCRIPTS  # noqa: E402  - as above

_COMPLETION_FILES = {"bash": "supctl.bash", "zsh": "_supctl", "fish": "supctl.fish"}


def pages() -> dict[str, str]:
    """The text of every generated file by its path below contrib/."""
    made = {f"completions/{_COMPLETION_FILES[shell]}": script for shell, script in SCRIPTS.items()}
    made["man/supctl.1"] = manual.supctl()
    made["man/supd.1"] = manual.supd()
    made["man/supd.unit.5"] = manual.unit()
    made["KEYS.md"] = keys.page()
    made["supd-unit.schema.json"] = editor.schema()
    return made


def _is_current(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text


def main(arguments: list[str]) -> int:
    if arguments == ["--messages"]:
        sys.stdout.write(messages.page(CONTRIB.parent))
        return 0
    stale = {name: text for name, text in pages().items() if not _is_current(CONTRIB / name, text)}
    for name, text in stale.items():
        if arguments == ["--check"]:
            print(f"contrib/{name} is not current: run `python contrib/reference`")
        else:
            (CONTRIB / name).parent.mkdir(exist_ok=True)
            (CONTRIB / name).write_text(text, encoding="utf-8")
            print(f"contrib/{name} is written")
    return 1 if stale and arguments == ["--check"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
