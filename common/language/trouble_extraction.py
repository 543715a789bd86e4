"""Find the sentences of errors in the sources: what an f-string makes of values is a pattern with numbered places.

An error is written once, in English, where it is raised, and may then go through a pipe or into a file. So it is not
said by `t`: its pattern is found here by reading the sources, and told apart at the page's edge
(`common.language.trouble`).
"""

from __future__ import annotations

import ast
import string
from collections.abc import Iterator, Mapping
from pathlib import Path

from common.language.ready_made import READY_MADE

SENTENCE_AT: Mapping[str, int] = {
    "ConfigError": 0,
    "DataError": 0,
    "PrivacyError": 0,
    "MessageError": 0,
    "BudgetExhausted": 0,
    "Unreachable": 0,
    "Refused": 0,
    "NotThere": 0,
    "ValueError": 0,
    "Refusal": 2,
    "refuse_with": 2,
}
"""The call → which of its arguments is the sentence."""
REACHING = (
    *("certs", "client/account", "client/command/import_history.py", "client/daemon", "client/data"),
    *("client/decision", "client/explanation", "client/feedback", "client/folder.py", "client/forecast"),
    *("client/page", "client/serving", "client/shop", "client/transparency/sent_log.py", "common/data"),
    *("common/disk", "common/http", "common/message/reading.py", "common/message/signature.py"),
    *("common/message/succession.py", "common/model/warm", "common/plan"),
)
"""What the page's own processes raise, and those that they start."""
COMMANDS_ALONE = (
    *("client/account/ledger/cli.py", "client/account/ledger/copy.py", "client/account/ledger/recovery.py"),
    *("client/account/ledger/verification.py", "client/decision/customer/letter.py"),
    *("client/decision/customer/listing.py", "client/decision/stock", "client/forecast/backtest.py"),
    "client/serving/inference",
)
"""What is raised there is seen in a terminal or by a program, never on the page."""
SAYING = ("client/shop/setup/change.py", "client/shop/export/unfit.py")
"""Files whose functions give sentences of errors back, which others raise."""
LEAST_LETTERS = 8  # of a pattern, beside its values: less could be anything


def find_patterns(root: Path) -> dict[str, str]:
    """Give the pattern of every sentence that can reach the page, and the file that raises it; `root` has `client`."""
    alone = tuple(root / name for name in COMMANDS_ALONE)
    found = dict.fromkeys(READY_MADE, "")
    for name in REACHING:
        path = root / name
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            if not any(file.is_relative_to(each) for each in alone):
                is_saying = file.relative_to(root).as_posix() in SAYING
                for pattern in find_in(file.read_text(encoding="utf-8"), is_saying=is_saying):
                    found.setdefault(pattern, str(file.relative_to(root)))
    return found


def find_in(source: str, *, is_saying: bool = False) -> Iterator[str]:
    """Give the patterns of one file; where it is a saying one, of all that its functions give back too."""
    if (
        not is_saying
        and ".trouble" not in source
        and "taken=" not in source
        and not any(f"{name}(" in source for name in SENTENCE_AT)
    ):
        return  # most files raise nothing, and need not be parsed
    tree = ast.parse(source)
    named = _list_named(tree)
    saying = [node for node in ast.walk(tree) if isinstance(node, ast.Call | ast.Assign)]
    sentences = [sentence for node in saying for sentence in _sentences_of(node)]
    if is_saying:
        sentences += [node.value for node in ast.walk(tree) if isinstance(node, ast.Return) and node.value is not None]
    for sentence in sentences:
        for pattern in _write(sentence, named):
            if sum(letter.isalpha() for letter in pattern) >= LEAST_LETTERS:
                yield pattern


def _list_named(tree: ast.AST) -> dict[str, list[ast.expr]]:
    """List what each name of a file is ever set to, and of each function what it gives back."""
    named = dict[str, list[ast.expr]]()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            given = [each.value for each in ast.walk(node) if isinstance(each, ast.Return) and each.value is not None]
            named.setdefault(f"{node.name}()", []).extend(given)
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            named.setdefault(node.targets[0].id, []).append(node.value)
    return named


def _sentences_of(node: ast.AST) -> Iterator[ast.expr]:
    """Give what a call of an error says, or what is kept as a `trouble`."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        place = SENTENCE_AT.get(node.func.id)
        if place is not None and len(node.args) > place:
            yield node.args[place]
        yield from (word.value for word in node.keywords if word.arg == "taken" and node.func.id == "hold")
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            names = target.elts if isinstance(target, ast.Tuple) else [target]
            values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
            for name, value in zip(names, values, strict=False):
                if isinstance(name, ast.Attribute) and name.attr == "trouble":
                    yield value


def _write(node: ast.expr, named: Mapping[str, list[ast.expr]]) -> Iterator[str]:
    """Write a text of the source as patterns: of what is one thing or another, both."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield _quote(node.value)
    elif isinstance(node, ast.JoinedStr):
        yield _number(node)
    elif isinstance(node, ast.IfExp | ast.BoolOp):
        for each in [node.body, node.orelse] if isinstance(node, ast.IfExp) else node.values:
            yield from _write(each, named)
    elif isinstance(node, ast.Name):
        for each in named.get(node.id, []):
            yield from _write(each, {})
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        for each in named.get(f"{node.func.id}()", []):
            yield from _write(each, {})
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        for one in _write(node.left, named):
            yield from (_count(one + other) for other in _write(node.right, named))
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        yield from map(_renumber, _write(node.func.value, named))


def _number(node: ast.JoinedStr) -> str:
    parts, number = list[str](), 0
    for part in node.values:
        if isinstance(part, ast.Constant):
            parts.append(_quote(str(part.value)))
        else:
            parts.append(f"{{{number}}}")
            number += 1
    return "".join(parts)


def _count(pattern: str) -> str:
    """Give a pattern with its places numbered anew, from 0 on."""
    parts, number = list[str](), 0
    for text, name, _, _ in string.Formatter().parse(pattern):
        parts.append(_quote(text))
        if name is not None:
            parts.append(f"{{{number}}}")
            number += 1
    return "".join(parts)


def _renumber(quoted: str) -> str:
    """Give a template for `format` with numbered places; it was quoted as if its braces stood for themselves."""
    return _count(quoted.replace("{{", "{").replace("}}", "}"))


def _quote(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
