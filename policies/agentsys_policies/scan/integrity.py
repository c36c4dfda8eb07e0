"""Integrity of results: what makes a repository look as if it measured something that it did not.

Each detector takes a parsed file and yields (rule id, node, detail). The rules are in integrity.yaml.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agentsys_policies.scan.scopes import Function

Match = tuple[str, ast.AST, str]

_METRIC = re.compile(
    r"(?:(?:train|test|val|valid|validation|dev|eval|final|best|mean|avg|average|median|top_?[15]|macro|micro|weighted)_)*"
    r"(?:acc|accuracy|loss|nll|elbo|f1|f1_score|auc|auroc|auprc|map|mrr|ndcg|precision|recall|score|error|error_rate|mse|rmse|mae"
    r"|r2|bleu|rouge|rouge_l|perplexity|ppl|fid|iou|miou|dice|psnr|ssim|wer|cer|reward|return|regret|kl|success_rate|speedup|bpd)"
    r"(?:_(?:mean|avg|std|at_\d+|\d+))?",
    re.IGNORECASE,
)
_RESULTS = re.compile(r"(?:\w+_)?(?:results?|metrics?|scores?|outcomes?|report|summary)", re.IGNORECASE)
_NOT_MEASURED = re.compile(
    r"expected|paper|reported|reference|published|baseline|config|cfg|default|thresh|target|weight|coef|bound|limit|toleran",
    re.I,
)
_DRAWS = frozenset(
    {"random", "rand", "randn", "rand_like", "randn_like", "uniform", "normal", "gauss", "standard_normal", "randint"}
    | {"normalvariate", "betavariate", "triangular", "random_sample", "integers", "exponential", "lognormal", "beta"}
)
_WRITERS = frozenset({"dump", "dumps", "write_text", "safe_dump", "to_json", "to_csv", "save", "savez"})
_SYNTHETIC = re.compile(
    r"synth|fake|toy|random|dummy|simulat|generat|noise|sampl|mock|artificial|perturb|augment|init", re.I
)
_LOADS_DATA = re.compile(r"(?:load|read|fetch|download|get)_\w*(?:data|set|mnist|cifar|imagenet|corpus)")
_NEEDS_NO_BODY = frozenset({"abstractmethod", "overload", "abstractproperty", "fixture"})
_BROAD = frozenset({"Exception", "BaseException"})
_LOOKED_AT = frozenset(
    {ast.ExceptHandler, ast.Assign, ast.AnnAssign, ast.Call, ast.Return, ast.FunctionDef, ast.AsyncFunctionDef}
    | {ast.Constant}
)
"""Types of nodes that a detector begins with."""


@dataclass(frozen=True)
class Context:
    """The file: its path, and whether it is a test."""

    path: str
    is_test: bool


def detect(nodes: Sequence[ast.AST], context: Context) -> Iterator[Match]:
    """Yield everything that the detectors for programs find in one file."""
    for node in nodes:
        if type(node) not in _LOOKED_AT:
            continue
        match node:
            case ast.ExceptHandler():
                yield from _swallowed(node, context)
            case ast.Assign() | ast.AnnAssign():
                yield from _assigned(node, context)
            case ast.Call():
                yield from _written(node, context)
            case ast.Return() if isinstance(node.value, ast.Dict) and not context.is_test:
                yield from _invented(node.value)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield from _fake_data(node, context)
            case ast.Constant():
                yield from _constant(node, context)
            case _:
                pass
    if not context.is_test:
        yield from _stubs([node for node in nodes if type(node) in (ast.ClassDef, ast.Module)])


# -- results -----------------------------------------------------------------------------------------------------------


def _assigned(node: ast.Assign | ast.AnnAssign, context: Context) -> Iterator[Match]:
    if context.is_test or node.value is None:
        return
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    for target in targets:
        name = target.id if isinstance(target, ast.Name) else ""
        if isinstance(node.value, ast.Dict) and _RESULTS.fullmatch(name) and not _NOT_MEASURED.search(name):
            yield from _invented(node.value)
        key = _key_of(target)
        if key and _METRIC.fullmatch(key) and _is_number(node.value):
            yield "integrity.constant-result", node, key
        if _METRIC.fullmatch(key or name) and _is_draw(node.value):
            yield "integrity.random-result", node, key or name


def _key_of(target: ast.expr) -> str:
    """The constant key of `results["accuracy"]`, where the variable is named after results."""
    if isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name) and _RESULTS.fullmatch(target.value.id):
        key = target.slice
        return key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else ""
    return ""


def _written(node: ast.Call, context: Context) -> Iterator[Match]:
    name = _last_name(node.func)
    if context.is_test or name not in _WRITERS:
        return
    for argument in node.args[:2]:
        for part in ast.walk(argument):
            if isinstance(part, ast.Dict):
                yield from _invented(part)


def _invented(node: ast.Dict) -> Iterator[Match]:
    """Metrics in a dictionary that are numbers written down, or drawn at random."""
    for key, value in zip(node.keys, node.values, strict=True):
        name = key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else ""
        if isinstance(value, ast.Dict) and not _NOT_MEASURED.search(name):
            yield from _invented(value)
        elif _METRIC.fullmatch(name) and _is_number(value):
            yield "integrity.constant-result", value, name
        elif _METRIC.fullmatch(name) and _is_draw(value):
            yield "integrity.random-result", value, name


def _is_number(node: ast.expr) -> bool:
    """A number that nobody starts a counter or a search with."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node = node.operand
    if not isinstance(node, ast.Constant) or isinstance(node.value, bool) or not isinstance(node.value, int | float):
        return False
    return math.isfinite(node.value) and node.value not in {0, 1, 100} and abs(node.value) < 1e6


def _is_draw(node: ast.expr) -> bool:
    """A random number, also with constants added to it or clipped."""
    match node:
        case ast.BinOp():
            sides = (node.left, node.right)
            plain = all(_is_draw(side) or isinstance(side, ast.Constant) for side in sides)
            return plain and any(_is_draw(side) for side in sides)
        case ast.Call():
            name = _last_name(node.func)
            if name in {"float", "round", "min", "max", "abs", "clip", "item"}:
                inner = [*node.args, node.func.value] if isinstance(node.func, ast.Attribute) else node.args
                return any(_is_draw(item) for item in inner)
            return name in _DRAWS and isinstance(node.func, ast.Attribute) and not _shaped(node)
        case _:
            return False


def _shaped(node: ast.Call) -> bool:
    return any(isinstance(item, ast.Tuple | ast.List) for item in node.args) or any(
        word.arg in {"size", "shape"} for word in node.keywords
    )


def _constant(node: ast.Constant, context: Context) -> Iterator[Match]:
    value = node.value
    if context.is_test:
        return
    if value == "PYTEST_CURRENT_TEST":
        yield "integrity.test-detection", node, str(value)


# -- behaviour ---------------------------------------------------------------------------------------------------------


def _swallowed(node: ast.ExceptHandler, context: Context) -> Iterator[Match]:
    kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    broad = any(kind is None or _last_name(kind) in _BROAD for kind in kinds)
    if broad and all(_does_nothing(item) for item in node.body):
        yield "integrity.swallowed-exception", node, "except " + (ast.unparse(node.type) if node.type else "")


def _does_nothing(node: ast.stmt) -> bool:
    match node:
        case ast.Pass() | ast.Continue() | ast.Break():
            return True
        case ast.Expr():
            return isinstance(node.value, ast.Constant)
        case ast.Return():
            return node.value is None or isinstance(node.value, ast.Constant)
        case ast.Assign():
            return isinstance(node.value, ast.Constant)
        case _:
            return False


def _stubs(nodes: Sequence[ast.AST]) -> Iterator[Match]:
    for owner in nodes:
        if isinstance(owner, ast.ClassDef):
            bases = {_last_name(base.value if isinstance(base, ast.Subscript) else base) for base in owner.bases}
            if bases & {"Protocol", "ABC"} or any(word.arg == "metaclass" for word in owner.keywords):
                continue
            items, in_class = owner.body, True
        elif isinstance(owner, ast.Module):
            items, in_class = owner.body, False
        else:
            continue
        for item in items:
            if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef) and _is_stub(item, in_class):
                yield "integrity.stub", item, item.name


def _is_stub(node: Function, in_class: bool) -> bool:
    if any(
        _last_name(item) in {"abstractmethod", "overload", "abstractproperty", "fixture"}
        for item in node.decorator_list
    ):
        return False
    body = [item for item in node.body if not (isinstance(item, ast.Expr) and _is_text(item.value))]
    if not body:
        return not in_class
    if len(body) > 1:
        return False
    if isinstance(body[0], ast.Raise):
        return not in_class and body[0].exc is not None and _last_name(_callee(body[0].exc)) == "NotImplementedError"
    empty = isinstance(body[0], ast.Pass) or (isinstance(body[0], ast.Expr) and _is_ellipsis(body[0].value))
    return empty and not (in_class and (node.name.startswith(("_", "on_")) or len(node.args.args) <= 1))


def _fake_data(node: Function, context: Context) -> Iterator[Match]:
    """A loader of data that draws it: it must say that the data are synthetic."""
    if context.is_test or not re.match(
        r"(?:load|read|fetch|download|get)_\w*(?:data|set|mnist|cifar|imagenet|corpus)", node.name
    ):
        return
    words = f"{context.path} {node.name} {ast.get_docstring(node) or ''}"
    if _SYNTHETIC.search(words):
        return
    for part in ast.walk(node):
        if (
            isinstance(part, ast.Call)
            and isinstance(part.func, ast.Attribute)
            and part.func.attr in _DRAWS
            and _shaped_draw(part)
        ):
            yield "integrity.undeclared-synthetic", part, node.name
            return


def _shaped_draw(node: ast.Call) -> bool:
    return _shaped(node) or len(node.args) >= 2


def _last_name(node: ast.AST | None) -> str:
    if isinstance(node, ast.Call):
        node = node.func
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _callee(node: ast.expr) -> ast.expr:
    return node.func if isinstance(node, ast.Call) else node


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_ellipsis(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is ...


def is_test(path: str) -> bool:
    """True for the files that a test runner collects or reads."""
    parts = path.split("/")
    name = parts[-1]
    return (
        name.startswith("test_")
        or name.endswith("_test.py")
        or name == "conftest.py"
        or bool({"tests", "test"} & set(parts[:-1]))
    )
