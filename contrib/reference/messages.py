"""Every sentence that supd and supctl have for a person, read from the source: one page, to be read as a whole.

A message is the text given to one of the calls below, with {...} where a value is filled in. The page is for people who review
wording; it decides nothing, and tests hold the same list to the rules of style.
"""

import ast
from pathlib import Path
from typing import NamedTuple

# The calls whose text reaches a person, by the name that is called, with the position of the text.
_CALLS = {
    "complain": 0, "refused": 0, "UsageError": 0, "NoDaemon": 0, "BrokenAnswer": 0, "Refusal": 1, "BadRequest": 2, "Mistake": 0,
    "Problem": 3, "expected": 0, "PrepareError": 1, "CommandLineError": 0, "QuantityError": 0, "UnitNameError": 0, "SupdError": 0,
    "_say": 1, "say": 1, "OverrideError": 0, "EnvironmentFileError": 0, "advise": 0, "note": 2, "TransactionError": 1, "_link": 3,
    "finish": 2, "enqueue": 3,
}  # fmt: skip


class Message(NamedTuple):
    path: str
    line: int
    call: str
    text: str


def collect(root: Path) -> list[Message]:
    """Every message below supervisor/, in the order of files and lines."""
    found = []
    for path in sorted((root / "supervisor").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and (text := _message(node)):
                found.append(Message(str(path.relative_to(root)), node.lineno, _name(node.func), text))
    return sorted(found)


def _message(call: ast.Call) -> str:
    """What a call says to a person; empty when it says nothing or hands on what others said."""
    name = _name(call.func)
    if name == "Answer":
        given = [one.value for one in call.keywords if one.arg == "text"]
    else:
        given = call.args[_CALLS[name] :][:1] if name in _CALLS else []
    text = _text(given[0]) if given else ""
    return text if any(word.isalpha() for word in text.replace("{...}", "").split()) else ""


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _text(node: ast.expr) -> str:
    """The literal parts of an expression, {...} for the others."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) if isinstance(part, ast.Constant) else "{...}" for part in node.values)
    if isinstance(node, ast.BinOp):
        return _text(node.left) + _text(node.right)
    if isinstance(node, ast.IfExp):
        return f"{_text(node.body)} | {_text(node.orelse)}"
    return "{...}"


def page(root: Path) -> str:
    """The messages by file, one a line."""
    lines: list[str] = []
    for message in collect(root):
        if f"## {message.path}" not in lines:
            lines += ["", f"## {message.path}", ""]
        lines.append(f"- {message.line} {message.call}: {message.text!r}")
    return "\n".join(lines[1:]) + "\n"
