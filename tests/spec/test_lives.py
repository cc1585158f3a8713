"""The engine goes through the life-cycle table as it is written out in `data/lives.txt` (see `lives`)."""

from tests.spec import lives

SHOWN = 5


def test_what_follows_in_every_state_from_whatever_may_happen_is_what_is_written() -> None:
    written = dict(line.split(": ", 1) for line in lives.TABLE.read_text(encoding="utf-8").splitlines())
    seen, differing = 0, []
    for what, follows in lives.rows():
        seen += 1
        if written.get(what) != follows:
            differing.append(f"{what}:\n  written {written.get(what)}\n  played  {follows}")
            if len(differing) == SHOWN:
                break
    told = "rows go otherwise (if that is meant: `python -m tests.spec.lives`); the first ones:\n"
    assert not differing, told + "\n".join(differing)
    assert seen == len(written)
