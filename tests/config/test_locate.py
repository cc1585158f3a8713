"""On which line a key stands."""

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from supervisor.config.locate import key_lines

TEXT = (
    '''# comment = 1
include = ["a", # [x]
  "b"]
[service]
exec_start = """
a = [
"""
"quoted.key" = 'it'''
    + """'s'
a.b.c = 1
inline = { x = 1, "y z" = [ {q = 2} ] }
[[service.ready]]
http = "#"
[[service.ready]]
tcp = '''x'''
[service.ready.deep]
k = 1
"""
)


def test_each_key_element_and_table_is_on_its_line() -> None:
    text = TEXT.replace("'it's'", '"it\'s \\" ]"')
    tomllib.loads(text)
    lines = key_lines(text)
    expected = {
        ("include",): 2,
        ("include", 0): 2,
        ("include", 1): 3,
        ("service",): 4,
        ("service", "exec_start"): 5,
        ("service", "quoted.key"): 8,
        ("service", "a", "b", "c"): 9,
        ("service", "inline", "y z", 0, "q"): 10,
        ("service", "ready", 0): 11,
        ("service", "ready", 0, "http"): 12,
        ("service", "ready", 1): 13,
        ("service", "ready", 1, "tcp"): 14,
        ("service", "ready", 1, "deep", "k"): 16,
    }
    assert {path: lines.get(path) for path in expected} == expected


@given(
    st.lists(st.tuples(st.from_regex(r"[a-z]{1,5}", fullmatch=True), st.text(max_size=20), st.integers(0, 3)), unique_by=lambda row: row[0])
)
def test_any_strings_and_blank_lines_between_do_not_move_a_key(rows: list[tuple[str, str, int]]) -> None:
    import tomli_w

    text = ""
    expected = {}
    for key, value, blanks in rows:
        text += "\n" * blanks
        expected[(key,)] = text.count("\n") + 1
        text += tomli_w.dumps({key: value})
    assert key_lines(text) == expected


@given(st.text())
def test_no_text_makes_it_fail(text: str) -> None:
    key_lines(text)
