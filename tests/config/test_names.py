"""Unit names: what may be one, how they are split, and systemd's escaping."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.model import names
from supervisor.model.errors import UnitNameError


@pytest.mark.parametrize("name", ["web", "web-1", "a.b:c_d", "worker@", "worker@1", "x@a@b", "a\\x2db", "0", "x" * 247])
def test_these_are_names(name: str) -> None:
    assert names.check(name) == name


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "it is empty"),
        ("two words", "' ' is not"),
        ("a/b", "'/' is not"),
        ("é", "'é' is not"),
        ("@x", "nothing stands before the @"),
        (".hidden", "it begins with a dot"),
        ("..", "it begins with a dot"),
        ("supd", "it is the name of supd itself"),
        ("web\n", "is not"),
        ("x" * 248, "it has 248 characters"),
    ],
)
def test_these_are_none_and_it_says_why(name: str, reason: str) -> None:
    with pytest.raises(UnitNameError, match="cannot use") as error:
        names.check(name)
    assert reason in str(error.value)


@pytest.mark.parametrize(
    ("name", "parts", "template"),
    [
        ("web", ("web", None), ""),
        ("worker@", ("worker", ""), ""),
        ("worker@1", ("worker", "1"), "worker@"),
        ("w@a@b", ("w", "a@b"), "w@"),
    ],
)
def test_a_name_splits_at_its_first_at_sign(name: str, parts: tuple[str, str | None], template: str) -> None:
    assert names.split(name) == parts
    assert names.template_of(name) == template


def test_families_of_a_dashed_name_go_from_near_to_far() -> None:
    assert names.dashed_prefixes("a-b-c") == ["a-b-", "a-"]
    assert names.dashed_prefixes("plain") == []


# Asked of systemd-escape 252.
@pytest.mark.parametrize(
    ("text", "escaped"),
    [("a/b-c", "a-b\\x2dc"), (".x", "\\x2ex"), ("é@\\", "\\xc3\\xa9\\x40\\x5c"), ("foo bar", "foo\\x20bar"), ("a.b:c_d", "a.b:c_d")],
)
def test_escaping_is_systemds(text: str, escaped: str) -> None:
    assert names.escape(text) == escaped
    assert names.unescape(escaped) == text


@pytest.mark.parametrize(("path", "escaped"), [("/", "-"), ("/a/b", "a-b"), ("//a//./b/", "a-b"), ("/.x/y", "\\x2ex-y")])
def test_path_escaping_is_systemds(path: str, escaped: str) -> None:
    assert names.escape_path(path) == escaped
    assert names.escape_path(names.unescape_path(escaped)) == escaped


@pytest.mark.parametrize("text", ["\\", "\\x4", "\\x4g", "\\y41", "a\\"])
def test_a_backslash_that_begins_no_escape_is_refused(text: str) -> None:
    with pytest.raises(UnitNameError, match="backslash"):
        names.unescape(text)


def test_a_path_with_a_parent_in_it_cannot_be_escaped_or_come_out() -> None:
    with pytest.raises(UnitNameError, match="contains"):
        names.escape_path("/a/../b")
    with pytest.raises(UnitNameError, match="normalised"):
        names.unescape_path("a--b")


@given(st.text(st.characters(exclude_characters="\0")))
def test_what_is_escaped_comes_back(text: str) -> None:
    text = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    assert names.unescape(names.escape(text)) == text
    assert not text or names.is_valid(f"x@{names.escape(text)}") or len(names.escape(text)) > 240
