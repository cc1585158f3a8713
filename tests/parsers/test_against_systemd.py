"""Each parser against systemd 252's own, over thousands of generated texts: it accepts what systemd accepts, and understands the same.

The texts are made of the pieces that mean something to the parser in question, so that most of them are near a rule's edge.
"""

import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from supervisor.config import mode
from supervisor.config.command_line import CommandLineError, split_commands
from supervisor.config.environment_file import EnvironmentFileError
from supervisor.config.environment_file import parse as parse_environment_file
from supervisor.config.expansion import expand
from supervisor.config.problems import Mistake
from supervisor.config.specifiers import Specifiers
from supervisor.model import exitstatus, names
from supervisor.model.errors import QuantityError, UnitNameError
from supervisor.model.integers import UINT64_MAX, parse_integer
from supervisor.model.quantities import USEC_INFINITY, format_time_span, parse_size, parse_time_span
from supervisor.model.specification import Command
from tests.parsers.systemd import Systemd

GENERATED = settings(settings.get_profile("generated"))


def pieces(*choices: str | st.SearchStrategy[str], at_most: int = 8) -> st.SearchStrategy[str]:
    """Texts of up to `at_most` of these pieces."""
    given_ones = st.sampled_from([choice for choice in choices if isinstance(choice, str)])
    return st.lists(st.one_of(given_ones, *[choice for choice in choices if not isinstance(choice, str)]), max_size=at_most).map("".join)


ODD_NUMBERS = st.sampled_from([".5", "1.", "07", "+3", "9" * 5000, "0" * 5000 + "7"])
NUMBERS = st.one_of(st.integers(0, 2**66).map(str), st.integers(0, 100).map(str), st.decimals(0, 5000, places=3).map(str), ODD_NUMBERS)
ANY = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=3)

# -- time spans and sizes ----------------------------------------------------------------------------------------------

TIME_UNITS = re.findall(
    r"\S+",
    "s sec second seconds m min minute minutes h hr hour hours d day days w week weeks M month months y year years"
    " ms msec us usec µs μs S hours2 minu infinity",
)
TIME_SPANS = pieces(*TIME_UNITS, " ", "  ", "\t", "-", ".", NUMBERS, NUMBERS)
SIZES = pieces("B", "K", "M", "G", "T", "P", "E", "k", "KB", " ", "\t", "-", ".", "%", NUMBERS, NUMBERS, at_most=6)


@GENERATED
@given(TIME_SPANS)
def test_time_spans(systemd: Systemd, text: str) -> None:
    try:
        span_us = parse_time_span(text)
        ours = USEC_INFINITY if span_us is None else span_us
    except QuantityError:
        ours = None
    assert ours == systemd.ask("time_span", text)


@GENERATED
@given(st.one_of(st.integers(0, USEC_INFINITY), st.integers(0, 10**9)), st.sampled_from([1, 1000, 10**6, 60 * 10**6]))
def test_time_spans_printed(systemd: Systemd, span_us: int, accuracy_us: int) -> None:
    assert format_time_span(span_us, accuracy_us) == systemd.ask("print_time_span", span_us, accuracy_us)


@GENERATED
@given(SIZES)
def test_sizes(systemd: Systemd, text: str) -> None:
    try:
        ours = parse_size(text)
    except QuantityError:
        ours = None
    assert ours == systemd.ask("size", text)


@GENERATED
@given(pieces("0x", "0X", "0b", "0o", "0", "+", "-", " ", "_", "f", "8", "1.", NUMBERS, ANY, at_most=4))
def test_integers(systemd: Systemd, text: str) -> None:
    ours = parse_integer(text)
    assert (ours if ours is not None and 0 <= ours <= UINT64_MAX else None) == systemd.ask("number", text)


# -- command lines -----------------------------------------------------------------------------------------------------

WORD_PIECES = ("a", "b c", " ", "\t", "'", '"', "\\", "\\\\", "\\n", "\\s", "\\x41", "\\x4", "\\101", "\\u00e9", "\\U0001F600", "\\q", "é")
LINE_PIECES = (*WORD_PIECES, ";", " ; ", " \\; ", "/bin/x", "%%", "$A", "${A}", "@", "-", ":", "+", "!", "/", ".", "=", "#")
PREFIXES = pieces("-", "@", ":", "+", "!", "!!", at_most=3)
PROGRAMS = st.sampled_from(["/bin/x", "x", "", "'/a b'"])
LINES = st.tuples(PREFIXES, PROGRAMS, pieces(*LINE_PIECES, ANY)).map("".join)
VALUES = pieces("a", " ", "'", '"', "\\", "$A", "x y", ANY)
WORDS = pieces("$", "{", "}", "A", "B", "_", ":", "-", "${A}", "$A", "$$", "é", " ", at_most=6)


@GENERATED
@given(LINES)
def test_command_lines(systemd: Systemd, line: str) -> None:
    # Lines that a backslash joins and blanks at both ends are the unit file's reader's, before this parser sees the value.
    line = line.replace("\\\n", " ").strip(" \t\n\r")
    theirs, complaints = systemd.ask("commands", line) or (None, [])
    # A command that systemd leaves out with a warning, because of its `-`, is an error here like every wrong value.
    is_refused = theirs is None or any("unknown escape" not in complaint for complaint in complaints)
    try:
        split = split_commands(line, Specifiers("x", mode.system()).expand)
    except (CommandLineError, Mistake):
        assert is_refused, (theirs, complaints)
        return
    assert not is_refused, (split, complaints)
    ours = [[one.path, list(one.argv), one.ignores_failure, one.is_verbatim, one.privilege] for one in split.commands]
    for command in theirs or []:
        command[4] = command[4].removeprefix("!!")  # means nothing on a kernel with ambient capabilities
    assert ours == theirs
    assert bool(split.warnings) == bool(complaints)


@GENERATED
@given(st.lists(WORDS, min_size=1, max_size=4), st.dictionaries(st.sampled_from(["A", "B", "_"]), VALUES))
def test_variables_in_command_lines(systemd: Systemd, words: list[str], environment: dict[str, str]) -> None:
    assert expand(Command("/x", ("/x", *words)), environment) == systemd.ask("expand", ["/x", *words], environment)


# -- environment files -------------------------------------------------------------------------------------------------

ASSIGNMENTS = ("A", "B1", "_", "=", "A=", "\nB=", "\n", "\r", " ", "\t", "#", ";")
FILES = pieces(*ASSIGNMENTS, "'", '"', "\\", "\\\n", "$", "`", "-", "é", ANY, at_most=14)
# systemd joined the line after such a comment to it until 254; since then, and here, a comment ends with its line.
JOINED_COMMENT = re.compile(r"[#;].*\\[\n\r]")


@GENERATED
@given(FILES)
def test_environment_files(systemd: Systemd, content: str) -> None:
    assume(not JOINED_COMMENT.search(content))
    try:
        ours = sorted(f"{name}={value}" for name, value in parse_environment_file(content))
    except EnvironmentFileError:
        ours = None
    theirs = systemd.ask("environment_file", content)
    assert ours == (None if theirs is None else sorted(theirs))


# -- names -------------------------------------------------------------------------------------------------------------

NAME_PIECES = ("a", "B", "7", "-", ":", "_", ".", "\\", "@", "/", "\\x2d", "\\x2f", "\\x00", "\\xg1", "é", " ", "..", "%")
NAMES = pieces(*NAME_PIECES, ANY)


@GENERATED
@given(NAMES)
def test_escaping(systemd: Systemd, text: str) -> None:
    assert names.escape(text) == systemd.ask("escape", text)


@GENERATED
@given(NAMES)
def test_unescaping(systemd: Systemd, text: str) -> None:
    try:
        ours = names.unescape(text)
    except UnitNameError:
        ours = None
    # systemd makes a NUL of \\x00, which ends the string there; here it is refused.
    assert ours == (None if "\\x00" in text else systemd.ask("unescape", text))


@GENERATED
@given(pieces("/", "a", ".", "..", "-", "b/c", "é", "//", ANY))
def test_escaping_paths(systemd: Systemd, path: str) -> None:
    try:
        ours = names.escape_path(path)
    except UnitNameError:
        ours = None
    assert ours == systemd.ask("escape_path", path)


@GENERATED
@given(pieces("-", "a", ".", "\\x2f", "\\x2e", "b-c", "\\xc3\\xa9", "\\", ANY))
def test_unescaping_paths(systemd: Systemd, text: str) -> None:
    try:
        ours = names.unescape_path(text)
    except UnitNameError:
        ours = None
    assert ours == systemd.ask("unescape_path", text)


@GENERATED
@given(st.one_of(NAMES, st.integers(240, 260).map(lambda length: "x" * length)))
def test_unit_names(systemd: Systemd, name: str) -> None:
    assert names.is_valid(name) == (systemd.ask("is_unit_name", name + ".service") and not name.startswith("."))


# -- exit statuses and signals -----------------------------------------------------------------------------------------


STATUS_TEXTS = pieces("EX", "_", "OK", "1", "25", "6", "-", "+", " ", "0x", "0b", "exec", ANY)


@pytest.mark.parametrize("number", range(256))
def test_names_of_exit_statuses(systemd: Systemd, number: int) -> None:
    assert exitstatus.exit_status_name(number) == (systemd.ask("exit_status_name", number) or str(number))


@GENERATED
@given(st.one_of(st.sampled_from(sorted(exitstatus.EXIT_STATUS_NUMBERS)), STATUS_TEXTS))
def test_exit_statuses_by_name(systemd: Systemd, name: str) -> None:
    assert exitstatus.exit_status_number(name) == systemd.ask("exit_status", name)


@pytest.mark.parametrize("number", range(1, 65))
def test_names_of_signals(systemd: Systemd, number: int) -> None:
    assert exitstatus.signal_name(number) == systemd.ask("signal_name", number)


@GENERATED
@given(pieces("SIG", "RTMIN", "RTMAX", "TERM", "KILL", "POLL", "IOT", "+", "-", "1", "30", "0", "0x", "term", " ", ANY, at_most=4))
def test_signals_by_name(systemd: Systemd, name: str) -> None:
    assert exitstatus.signal_number(name) == systemd.ask("signal", name)
