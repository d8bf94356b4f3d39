"""Which figures and labels an expression of PromQL names: enough of its grammar for the ones in this tree."""

import re
from collections.abc import Iterator

WORDS = frozenset(
    {"by", "without", "on", "ignoring", "group_left", "group_right", "and", "or", "unless", "bool", "offset"}
)
_TEXT = re.compile(r'"[^"]*"')
_MATCHERS = re.compile(r"([a-z_]\w*)?\s*\{([^}]*)\}")
_LISTS = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")
_RANGES = re.compile(r"\[[^\]]*\]")
_NAMES = re.compile(r"\b[a-zA-Z_:][\w:]*\b(?!\s*\()")


def figures(expression: str) -> set[str]:
    """The names of figures: what is no function, word, label, range, number or text."""
    bare = _TEXT.sub("", expression)
    bare = _RANGES.sub("", _LISTS.sub("", re.sub(r"\{[^}]*\}", "", bare)))
    bare = re.sub(r"\b\d[\w.]*", "", bare)
    return {name for name in _NAMES.findall(bare) if name not in WORDS}


def labels(expression: str) -> Iterator[tuple[str, set[str]]]:
    """Each figure that is asked for by labels, and which."""
    for name, matchers in _MATCHERS.findall(_TEXT.sub('""', expression)):
        yield name, set(re.findall(r"([a-z_]\w*)\s*(?:=~|!~|!=|=)", matchers))


def is_balanced(expression: str) -> bool:
    """Whether each bracket has its other half."""
    depth: list[str] = []
    pairs = {")": "(", "]": "[", "}": "{"}
    for letter in _TEXT.sub("", expression):
        if letter in "([{":
            depth.append(letter)
        elif letter in pairs and (not depth or depth.pop() != pairs[letter]):
            return False
    return not depth
