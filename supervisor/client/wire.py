"""JSON for the fast path: the C scanner of the standard library without the `json` package, which would load `re`.

The same grammar and the same values as `json.loads` and `json.dumps`; a test compares them.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SPACE = " \t\n\r"


def _refuse(text: str) -> float:
    raise ValueError(f"{text} is not JSON")


class _Context:
    """What the C scanner asks of a decoder."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = staticmethod(_refuse)


try:
    from _json import encode_basestring_ascii as _quoted
    from _json import make_scanner

    _scan = make_scanner(_Context())  # type: ignore[arg-type]  # typeshed describes the decoder that `json` passes
except ImportError:  # an interpreter without the C accelerator
    from json.encoder import py_encode_basestring_ascii as _quoted
    from json.scanner import py_make_scanner  # type: ignore[attr-defined]  # not in typeshed

    _scan = py_make_scanner(_Context())


def parse(content: bytes) -> "Any":
    """The value of a JSON text. Raises ValueError."""
    text = content.decode().strip(_SPACE)
    try:
        value, end = _scan(text, 0)
    except StopIteration:
        raise ValueError("not JSON") from None
    if end != len(text):
        raise ValueError("more than one JSON value")
    return value


def compose(value: "Any") -> str:
    """The JSON text of plain values: None, bool, int, float, str, list, tuple and dict with string keys."""
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, str):
        return str(_quoted(value))
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, dict):
        return "{" + ", ".join([f"{compose(key)}: {compose(item)}" for key, item in value.items()]) + "}"
    return "[" + ", ".join([compose(item) for item in value]) + "]"
