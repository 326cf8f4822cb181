"""Which single breaks the source of a machine offers: entries of its tables, limits, and cases of what it handles.

A *break* is the same source with one of these undone. The usual operators of mutation tools (another comparison,
another number) know neither tables nor limits, and these are where the rules of the contract stand.
"""

import ast
from collections.abc import Callable, Iterator
from typing import NamedTuple


class Break(NamedTuple):
    """One thing undone. ``line``: where, from 1; ``what``: in words; ``source``: the whole file with it."""

    line: int
    what: str
    source: str


def breaks_of(source: str, limits: frozenset[str]) -> list[Break]:
    """All breaks of one file, in the order of its lines. ``limits``: the names of settings that limit something."""
    text = source.encode()
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))

    def span(node: ast.expr | ast.pattern) -> tuple[int, int]:
        return starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset  # type: ignore[operator]

    def words(node: ast.expr | ast.pattern) -> str:
        begin, end = span(node)
        return text[begin:end].decode()

    found: list[Break] = []
    for node in _decisive(ast.parse(source)):
        for place, what, instead in _instead(node, words, limits):
            begin, end = span(place)
            broken = text[:begin] + instead.encode() + text[end:]
            found.append(Break(place.lineno, what, broken.decode()))
    return sorted(found, key=lambda each: (each.line, each.what))


def _instead(
    node: ast.AST, words: Callable[[ast.expr | ast.pattern], str], limits: frozenset[str]
) -> Iterator[tuple[ast.expr | ast.pattern, str, str]]:
    """Of one node: what to replace, why in words, by which text."""
    match node:
        case ast.Dict(keys=keys, values=values) if len(keys) > 1 and _is_table(keys):
            entries = [f"{words(key)}: {words(value)}" for key, value in zip(keys, values, strict=True) if key]
            for place, key in enumerate(keys):
                if key is not None:
                    yield node, f"no entry {words(key)}", "{" + ", ".join(_without(entries, place)) + "}"
        case ast.Set(elts=elements) if _is_table(elements):
            members = [words(element) for element in elements]
            for place, member in enumerate(members):
                left = ", ".join(_without(members, place))
                yield node, f"{member} is no member", "{" + left + "}" if left else "()"
        case ast.Attribute(value=ast.Name("limits") | ast.Attribute(attr="_limits" | "limits"), attr=limit) if (
            limit in limits
        ):
            yield node, f"limit {limit} is another", f"({words(node)} * 3 + 1)"
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=int() | float()) as number) if (
            name.isupper()
        ):
            yield number, f"limit {name} is another", f"({words(number)} * 3 + 1)"
        case ast.match_case(pattern=pattern, guard=None) if not _catches_all(pattern):
            yield pattern, f"case {words(pattern)} is not handled", f"{words(pattern)} if False"
        case ast.match_case(pattern=pattern, guard=ast.expr() as guard):
            yield guard, f"case {words(pattern)} is not handled", "False"


def _decisive(node: ast.AST) -> Iterator[ast.AST]:
    """All of the tree but what only tells: sentences for people that name a limit, annotations."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.JoinedStr):
            yield from _decisive(child)


def _without(entries: list[str], place: int) -> list[str]:
    return entries[:place] + entries[place + 1 :]


def _is_table(entries: list[ast.expr] | list[ast.expr | None]) -> bool:
    """Named things, not computed ones: members of enums, classes, words."""
    return all(isinstance(entry, ast.Attribute | ast.Constant) for entry in entries)


def _catches_all(pattern: ast.pattern) -> bool:
    return isinstance(pattern, ast.MatchAs) and pattern.pattern is None
