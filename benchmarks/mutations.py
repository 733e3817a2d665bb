"""The small changes of `mutants.py`: operators, comparisons, constants, slices, arguments and statements.

What is text for people is left alone: docstrings, annotations, messages of errors and warnings, and their words.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

OPERATORS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
COMPARISONS = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
FOR_PEOPLE = (ast.JoinedStr, ast.Raise, ast.Import, ast.ImportFrom, ast.Global, ast.Nonlocal)


class Mutation(NamedTuple):
    """A stretch of a file and what stands in its place."""

    file: str  # relative to the root of the repository
    line: int  # the first and the last line, from 1
    last_line: int
    start: int  # bytes from the beginning of the file
    stop: int
    text: str
    is_outside_functions: bool  # so it runs when the module is imported

    @property
    def key(self) -> str:
        """Return a name that no other mutation of this state of the file has."""
        return f"{self.file}:{self.line} [{self.start}:{self.stop}] -> {self.text}"


def apply(mutation: Mutation, source: bytes) -> bytes:
    """Return the mutated source."""
    return source[: mutation.start] + mutation.text.encode() + source[mutation.stop :]


def mutations(path: Path, root: Path) -> Iterator[Mutation]:
    """Yield every mutation of a file."""
    source = path.read_bytes()
    lines = source.splitlines(keepends=True)
    offsets = [sum(map(len, lines[:n])) for n in range(len(lines) + 1)]
    tree = ast.parse(source)
    bodies = [node.body for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    inside = [range(body[0].lineno, body[-1].end_lineno + 1) for body in bodies]
    for node, new in _changes(tree):
        start, stop = offsets[node.lineno - 1] + node.col_offset, offsets[node.end_lineno - 1] + node.end_col_offset
        text = new if isinstance(new, str) else ast.unparse(new)
        if isinstance(node, ast.expr) and not isinstance(node, ast.Slice):
            text = f"({text})"
        if source[start:stop] == text.encode():
            continue
        outside = not any(node.lineno in lines for lines in inside)
        yield Mutation(path.relative_to(root).as_posix(), node.lineno, node.end_lineno, start, stop, text, outside)


def _changes(tree: ast.AST) -> Iterator[tuple]:
    """Yield (node, what stands in its place) for every change of a tree; the latter is a node, or text."""
    for node in _nodes_of_code(tree):
        yield from _changed_expression(node)
        yield from _changed_statement(node)


def _nodes_of_code(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes below `tree` that are neither text for people nor annotations."""
    for name, value in ast.iter_fields(tree):
        if name in ("annotation", "returns", "decorator_list", "bases", "type_params"):
            continue
        for child in value if isinstance(value, list) else [value]:
            is_text = isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
            if isinstance(child, ast.AST) and not isinstance(child, FOR_PEOPLE) and not is_text and not _warns(child):
                yield child
                yield from _nodes_of_code(child)
            elif isinstance(child, ast.Raise):
                yield child  # it can be left out, but not reworded


def _warns(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) in ("warnings.warn", "print")


def _changed_expression(node) -> Iterator[tuple]:
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        yield node, ast.BinOp(node.left, OPERATORS[type(node.op)](), node.right)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
        yield node, ast.BinOp(node.right, node.op, node.left)
    elif isinstance(node, ast.Compare):
        first, *others = node.ops
        yield node, ast.Compare(node.left, [COMPARISONS[type(first)](), *others], node.comparators)
    elif isinstance(node, ast.BoolOp):
        yield node, ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.USub)):
        yield node, node.operand
    elif isinstance(node, ast.IfExp):
        yield node, ast.IfExp(node.test, node.orelse, node.body)
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield node, ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int):
        yield node, ast.Constant(node.value + 1)
    elif isinstance(node, ast.Constant) and isinstance(node.value, float):
        yield node, ast.Constant(2 * node.value + 1)
    elif isinstance(node, ast.Slice):
        bounds = node.lower, node.upper, node.step
        for place in range(3):
            if bounds[place] is not None:
                yield node, ast.Slice(*bounds[:place], None, *bounds[place + 1 :])
    elif isinstance(node, ast.Call):
        yield from _changed_call(node)


def _changed_call(node: ast.Call) -> Iterator[tuple]:
    if len(node.args) >= 2 and not any(isinstance(argument, ast.Starred) for argument in node.args[:2]):
        yield node, ast.Call(node.func, [node.args[1], node.args[0], *node.args[2:]], node.keywords)
    for place, keyword in enumerate(node.keywords):
        if keyword.arg is not None:
            yield node, ast.Call(node.func, node.args, node.keywords[:place] + node.keywords[place + 1 :])


def _changed_statement(node) -> Iterator[tuple]:
    is_call = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    if is_call or isinstance(node, (ast.AugAssign, ast.Raise, ast.Continue, ast.Break)):
        yield node, "pass"
    if isinstance(node, ast.AugAssign) and type(node.op) in OPERATORS:
        yield node, ast.AugAssign(node.target, OPERATORS[type(node.op)](), node.value)
    elif isinstance(node, ast.Return) and node.value is not None:
        yield node, "return None"
    elif isinstance(node, (ast.If, ast.While)):
        yield node.test, ast.UnaryOp(ast.Not(), node.test)
