"""The engine goes through the life-cycle table as it is written out in `data/lives.txt` (see `lives`)."""

from tests.spec import lives


def test_what_follows_in_every_state_from_whatever_may_happen_is_what_is_written() -> None:
    written = dict(line.split(": ", 1) for line in lives.TABLE.read_text(encoding="utf-8").splitlines())
    played = dict(lives.rows())
    assert list(played) == list(written)
    differing = [f"{what}:\n  written {written[what]}\n  played  {played[what]}" for what in played if played[what] != written[what]]
    told = f"{len(differing)} rows go otherwise (if that is meant: `python -m tests.spec.lives`); the first ones:\n"
    assert not differing, told + "\n".join(differing[:5])
