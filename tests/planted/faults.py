"""Which faults there are to plant: each changes one cell or one comparison of the engine and leaves everything else as it is.

A *cell* is a named value that says what follows (a state, a result, a phase, a kind of edge), a member of a set of them, an
entry of a table, or an action that is taken. A *comparison* is an operator, a negation or a connective of a condition.

What is only said is no fault: notes, errors' texts, assertions, and conditions under which nothing else is done are left alone. Two
lists made from one text are the same, and a fault's key depends on its function's text only, so that a change elsewhere does not choose
other faults.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

ENGINE = Path(__file__).parents[2] / "supervisor" / "engine"
# Where the life-cycle table, its handlers and the decisions about jobs and restarts are written.
MODULES: tuple[str, ...] = ("lifecycle", "phases", "killing", "exits", "spawned", "timeouts", "notifications", "verbs")
MODULES += ("restart", "transaction", "cycles", "jobs", "jobtypes", "reactions", "graph")

_OTHER_OPERATOR: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
# For each family of named values, the one that takes the place of another: what is near it, so that the fault is not a gross one.
_NEIGHBOURS = {
    "S": (
        "START_PRE",
        "START",
        "START_POST",
        "RUNNING",
        "EXITED",
        "RELOAD",
        "RELOAD_SIGNAL",
        "RELOAD_NOTIFY",
        "STOP",
        "STOP_SIGTERM",
        "STOP_SIGKILL",
        "STOP_POST",
        "FINAL_SIGTERM",
        "FINAL_SIGKILL",
        "DEAD",
        "FAILED",
        "AUTO_RESTART",
        "AUTO_RESTART_QUEUED",
    ),
    "Result": ("SUCCESS", "TIMEOUT", "EXIT_CODE", "SIGNAL", "CORE_DUMP", "WATCHDOG", "PROTOCOL", "RESOURCES", "EXEC_CONDITION"),
    "JobResult": ("DONE", "FAILED", "CANCELED", "TIMEOUT", "DEPENDENCY", "ASSERT", "INVALID", "SKIPPED"),
    "ExitCode": ("EXITED", "KILLED", "DUMPED", "UNKNOWN"),
    "Phase": ("CONDITION", "START_PRE", "START", "START_POST", "RELOAD", "STOP", "STOP_POST"),
    "JobType": ("START", "VERIFY_ACTIVE", "STOP", "RELOAD", "RESTART"),
    "JobMode": ("REPLACE", "FAIL", "ISOLATE", "FLUSH"),
    "JobState": ("WAITING", "RUNNING"),
    "A": ("ACTIVE", "RELOADING", "INACTIVE", "FAILED", "ACTIVATING", "DEACTIVATING"),
}
_JOB_TYPES = ("START", "VERIFY", "STOP", "RELOAD", "RESTART")  # as transaction, jobs and jobtypes call them
_FAMILY_OF = {"SubState": "S", "ActiveState": "A", "phases.S": "S"}
_WORDS = re.compile(r"[\w.]+")
WORDS_SHOWN = 12
_SPEAKERS = frozenset({"note", "_note_propagated", "TransactionError", "Record", "AssertionError"})
# Functions that make sentences for people and decide nothing.
_SENTENCES = frozenset({"_end_text", "exit_status_words", "waits_for", "_key_of"})


@dataclass(frozen=True)
class Fault:
    """One change of one text: `source[begin:end]` of the module becomes `new`."""

    module: str
    function: str
    line: int
    kind: str  # "cell" or "comparison"
    old: str
    new: str
    begin: int
    end: int
    ordinal: int  # among the same changes of the same function

    def rank(self, seed: int = 0) -> str:
        """Its place in a random order, one for each seed, that no change elsewhere disturbs."""
        identity = repr((self.module, self.function, self.old, self.new, self.ordinal))
        return blake2b(identity.encode(), key=str(seed).encode() if seed else b"").hexdigest()

    def applied(self, source: str) -> str:
        return source[: self.begin] + self.new + source[self.end :]

    def __str__(self) -> str:
        where = f"{self.module}.py:{self.line} {self.function}"
        old, new = _WORDS.findall(self.old), _WORDS.findall(self.new)
        if len(old) <= WORDS_SHOWN:
            return f"{where}: {' '.join(self.old.split())} -> {' '.join(self.new.split())}"
        kept = iter(new)
        at = next((index for index, word in enumerate(old) if next(kept, None) != word), 0)
        return f"{where}: ... {' '.join(old[max(at - 2, 0) : at + 3])} ... -> ... {' '.join(new[max(at - 2, 0) : at + 3])} ..."


def every_fault(modules: tuple[str, ...] = MODULES) -> list[Fault]:
    """All faults of these modules, in the order of their text."""
    return [fault for module in modules for fault in _of_module(module)]


def source_of(module: str) -> str:
    return (ENGINE / f"{module}.py").read_text(encoding="utf-8")


def _of_module(module: str) -> Iterator[Fault]:
    source = source_of(module)
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    seen: Counter[tuple[str, str, str]] = Counter()
    for function, node, kind, new in _changes(ast.parse(source), "module"):
        assert isinstance(node, ast.expr | ast.stmt) and node.end_lineno is not None and node.end_col_offset is not None
        begin = starts[node.lineno - 1] + node.col_offset
        end = starts[node.end_lineno - 1] + node.end_col_offset
        old = source[begin:end]
        seen[function, old, new] += 1
        yield Fault(module, function, node.lineno, kind, old, new, begin, end, seen[function, old, new])


Change = tuple[str, ast.AST, str, str]  # function, the part that changes, kind, what it becomes


def _changes(node: ast.AST, function: str) -> Iterator[Change]:
    if isinstance(node, ast.Assert | ast.JoinedStr | ast.Raise | ast.Import | ast.ImportFrom) or _is_said(node):
        return
    if isinstance(node, ast.If) and all(map(_only_says, (*node.body, *node.orelse))):
        return
    if isinstance(node, ast.IfExp) and isinstance(node.body, ast.JoinedStr):
        return  # a part of a sentence, or none
    if isinstance(node, ast.FunctionDef):
        if node.name in _SENTENCES:
            return
        for part in node.body:
            yield from _changes(part, node.name)
        return
    yield from ((function, *change) for change in _own_changes(node))
    if isinstance(node, ast.AnnAssign):
        if node.value is not None:
            yield from _changes(node.value, function)
        return
    for child in ast.iter_child_nodes(node):
        yield from _changes(child, function)


def _is_said(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in _SPEAKERS


def _only_says(statement: ast.stmt) -> bool:
    """Whether nothing follows from this statement but words."""
    if isinstance(statement, ast.If):
        return all(map(_only_says, (*statement.body, *statement.orelse)))
    return isinstance(statement, ast.Expr) and _is_said(statement.value)


def _own_changes(node: ast.AST) -> Iterator[tuple[ast.AST, str, str]]:
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        if isinstance(table := node.comparators[0], ast.Tuple):
            yield from ((table, "cell", text) for text in _without_one(table))
        for operator in _OTHER_OPERATOR[type(node.ops[0])]:
            yield node, "comparison", f"({ast.unparse(ast.Compare(node.left, [operator()], node.comparators))})"
    elif isinstance(node, ast.BoolOp):
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield node, "comparison", f"({ast.unparse(ast.BoolOp(other, node.values))})"
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node, "comparison", f"bool({ast.unparse(node.operand)})"
    elif isinstance(node, ast.If | ast.IfExp) and isinstance(node.test, ast.Name | ast.Attribute | ast.Call):
        yield node.test, "comparison", f"(not {ast.unparse(node.test)})"
    elif isinstance(node, ast.Attribute):
        if (other_name := _neighbour(node)) is not None:
            yield node, "cell", other_name
    elif isinstance(node, ast.Name):
        if isinstance(node.ctx, ast.Load) and node.id in _JOB_TYPES:
            yield node, "cell", _JOB_TYPES[(_JOB_TYPES.index(node.id) + 1) % len(_JOB_TYPES)]
    elif isinstance(node, ast.Set | ast.Dict):
        yield from ((node, "cell", text) for text in _without_one(node))
    elif _is_action(node):
        yield node, "cell", "pass"


def _is_action(node: ast.AST) -> bool:
    """A call for its effect. To touch a record is none: it only says that another statement is about to change it."""
    if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Call) or _is_said(node.value):
        return False
    return ast.unparse(node.value.func).rpartition(".")[2] != "touch"


def _neighbour(node: ast.Attribute) -> str | None:
    family = ast.unparse(node.value)
    members = _NEIGHBOURS.get(_FAMILY_OF.get(family, family), ())
    if node.attr not in members:
        return None
    return f"{family}.{members[(members.index(node.attr) + 1) % len(members)]}"


def _without_one(node: ast.Set | ast.Tuple | ast.Dict) -> Iterator[str]:
    """A table, each time without one of its entries; a table of tuples (the edges of an atom), without one of theirs."""
    if isinstance(node, ast.Dict):
        for at in range(len(node.keys)):
            yield ast.unparse(ast.Dict(node.keys[:at] + node.keys[at + 1 :], node.values[:at] + node.values[at + 1 :]))
            if isinstance(value := node.values[at], ast.Tuple) and len(value.elts) > 1:
                for text in _without_one(value):
                    less = ast.parse(text, mode="eval").body
                    yield ast.unparse(ast.Dict(node.keys, [*node.values[:at], less, *node.values[at + 1 :]]))
        return
    for at in range(len(node.elts)):
        elements = node.elts[:at] + node.elts[at + 1 :]
        if elements or isinstance(node, ast.Tuple):
            yield ast.unparse(ast.Set(elements) if isinstance(node, ast.Set) else ast.Tuple(elements, ast.Load()))
