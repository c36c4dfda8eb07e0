"""The ten faults of `fidelity.py`: their places are found by patterns in the syntax tree, not by names of files.

Each fault has its own form first and, where a repository has no place for that, an analogue. Tests, configuration and
documents are never changed. Only standard names of the field are searched for (`sqrt`, `softmax`, `default_rng`, ...).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from agentsys.core.artifacts import Plan
from agentsys.core.tree import is_test_path

Edit = tuple[ast.AST, str]
"""A node and the text that stands there instead."""
Finder = Callable[["Place"], Sequence[Edit]]


@dataclass(frozen=True)
class Place:
    """One function of the method, in which a finder looks."""

    function: ast.FunctionDef
    owner: str
    """Name of the class that holds it, or ``."""
    kinds: frozenset[str]
    """Kinds of the requirements that its file carries."""
    plan: Plan

    def nodes(self) -> Iterator[ast.AST]:
        """Walk the body in the order of the text."""
        found = [node for statement in self.function.body for node in ast.walk(statement)]
        positioned = [node for node in found if hasattr(node, "lineno")]
        yield from sorted(positioned, key=lambda node: (getattr(node, "lineno", 0), getattr(node, "col_offset", 0)))


@dataclass(frozen=True)
class Form:
    """One way to plant a fault. `analogue` says what it stands for where it is not the fault itself."""

    find: Finder
    analogue: str = ""
    last: bool = False
    """Take the last place rather than the first: methods of a paper come after its baselines."""


@dataclass(frozen=True)
class Fault:
    """A fault and its forms, nearest first."""

    name: str
    forms: tuple[Form, ...]
    files: tuple[str, ...] = ()
    """Kinds of requirements whose files are searched first."""


@dataclass(frozen=True)
class Planting:
    """A repository with one fault in it."""

    files: Mapping[str, bytes]
    path: str
    line: int
    before: str
    after: str
    analogue: str


def plant_fault(fault: Fault, files: Mapping[str, bytes], plan: Plan) -> Planting:
    """Return the repository with the fault. Raises: SystemExit where no form has a place in it."""
    for form in fault.forms:
        hits = [(path, edits) for path, place in _places(files, plan, fault.files) if (edits := form.find(place))]
        if hits:
            path, edits = hits[-1 if form.last else 0]
            return _planted(files, path, edits, form.analogue)
    raise SystemExit(f"`{fault.name}` cannot be planted: no place for it was found in the repository")


def _places(files: Mapping[str, bytes], plan: Plan, first: tuple[str, ...]) -> Iterator[tuple[str, Place]]:
    """Yield the functions of the method; files that carry the wanted kinds of requirements come first."""
    kinds = {path: frozenset(row.kind for row in plan.requirements if row.owner == path) for path in files}
    sources = [path for path in sorted(files) if path.endswith(".py") and not is_test_path(path)]
    for path in sorted(sources, key=lambda name: not kinds[name] & set(first)):
        for node in ast.parse(files[path]).body:
            if isinstance(node, ast.FunctionDef):
                yield path, Place(node, "", frozenset(kinds[path]), plan)
            elif isinstance(node, ast.ClassDef):
                inner = [item for item in node.body if isinstance(item, ast.FunctionDef)]
                yield from ((path, Place(item, node.name, frozenset(kinds[path]), plan)) for item in inner)


def _planted(files: Mapping[str, bytes], path: str, edits: Sequence[Edit], analogue: str) -> Planting:
    source = files[path]
    changed = source
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    spans = [(_span(node, starts), text) for node, text in edits]
    for (start, end), text in sorted(spans, reverse=True):
        changed = changed[:start] + text.encode() + changed[end:]
    (start, end), after = spans[0]
    ast.parse(changed)
    if changed == source:
        raise SystemExit(f"a fault in `{path}` changed nothing")
    before = " ".join(source[start:end].decode().split())
    line = int(getattr(edits[0][0], "lineno", 0))
    return Planting({**files, path: changed}, path, line, before[:90], after[:90], analogue)


def _span(node: ast.AST, starts: list[int]) -> tuple[int, int]:
    first, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
    last, end = getattr(node, "end_lineno", 1), getattr(node, "end_col_offset", 0)
    return starts[first - 1] + column, starts[last - 1] + end


def _name(node: ast.AST) -> str:
    """Return the last name of `a.b.c`, `c`, or of what is called."""
    if isinstance(node, ast.Call):
        return _name(node.func)
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _calls(place: Place, *names: str) -> list[ast.Call]:
    return [node for node in place.nodes() if isinstance(node, ast.Call) and _name(node) in names]


def _mentions(node: ast.AST, pattern: str) -> bool:
    return any(re.search(pattern, _name(item)) for item in ast.walk(node) if isinstance(item, ast.Name | ast.Attribute))


# -- the ten -----------------------------------------------------------------------------------------------------------


def loss_sign(place: Place) -> Sequence[Edit]:
    """The sum that a loss or objective returns has its second term subtracted."""
    if not re.search(r"loss|objective|value", place.function.name):
        return ()
    for node in place.nodes():
        if isinstance(node, ast.Return) and node.value is not None:
            for inner in ast.walk(node.value):
                if isinstance(inner, ast.BinOp) and isinstance(inner.op, ast.Add):
                    return [(inner, f"({ast.unparse(inner.left)} - ({ast.unparse(inner.right)}))")]
    return ()


def no_root(place: Place) -> Sequence[Edit]:
    """The first square root is left out."""
    return [(node, f"({ast.unparse(node.args[0])})") for node in _calls(place, "sqrt") if node.args][:1]


def softmax_axis(place: Place) -> Sequence[Edit]:
    """A softmax over another axis."""
    return _axis(place, "softmax", "log_softmax")


def reduction_axis(place: Place) -> Sequence[Edit]:
    """A sum, mean or maximum over another axis."""
    return _axis(place, "sum", "mean", "max", "min", "norm", "prod")


def _axis(place: Place, *names: str) -> Sequence[Edit]:
    wrong = {"0": "1", "1": "0", "-1": "-2", "-2": "-1"}
    for node in _calls(place, *names):
        for keyword in node.keywords:
            if keyword.arg in ("axis", "dim") and ast.unparse(keyword.value) in wrong:
                return [(keyword.value, wrong[ast.unparse(keyword.value)])]
    return ()


def no_detach(place: Place) -> Sequence[Edit]:
    """What was held constant takes part in the gradient."""
    for node in _calls(place, "detach"):
        if isinstance(node.func, ast.Attribute) and not node.args:
            return [(node, f"({ast.unparse(node.func.value)})")]
    return ()


def moving_reference(place: Place) -> Sequence[Edit]:
    """In `f(x, ...) - f(fixed, ...)` the second is taken at the moving point as well."""
    for node in place.nodes():
        if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub)):
            continue
        left, right = node.left, node.right
        if isinstance(left, ast.Call) and isinstance(right, ast.Call) and left.args and right.args:
            same = ast.unparse(left.func) == ast.unparse(right.func)
            if same and ast.unparse(left.args[0]) != ast.unparse(right.args[0]):
                return [(right.args[0], ast.unparse(left.args[0]))]
    return ()


def leak(place: Place) -> Sequence[Edit]:
    """The rows after the training part, `x[n:]`, become as many rows of the training part."""
    found: list[Edit] = []
    for node in place.nodes():
        if not (isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice)):
            continue
        if isinstance(node.slice.lower, ast.Name) and node.slice.upper is None and node.slice.step is None:
            text = ast.unparse(node)
            found.append((node, f"{ast.unparse(node.value)}[: len({text})]"))
    return found if len(found) > 1 else ()


def late_schedule(place: Place) -> Sequence[Edit]:
    """A schedule counts from one step too many."""
    if not re.search(r"schedule|learning_rate|warmup|^lr", place.function.name):
        return ()
    counters = [item.arg for item in place.function.args.args if item.arg in ("step", "t", "epoch", "iteration")]
    for node in place.nodes():
        if counters and isinstance(node, ast.Name) and node.id == counters[0]:
            return [(node, f"({node.id} + 1)")]
    return ()


def late_exponent(place: Place) -> Sequence[Edit]:
    """The step count in `1 - b**t` is one too many."""
    for node in place.nodes():
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub) and isinstance(node.left, ast.Constant):
            power = node.right
            if isinstance(power, ast.BinOp) and isinstance(power.op, ast.Pow) and not _is_constant(power.right):
                return [(power.right, f"({ast.unparse(power.right)} + 1)")]
    return ()


def _is_constant(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant)


def no_step(place: Place) -> Sequence[Edit]:
    """The optimiser's step is not taken."""
    for node in place.nodes():
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and _name(node.value) == "step":
            return [(node, "pass")]
    return ()


def no_update(place: Place) -> Sequence[Edit]:
    """`theta - eta * u` becomes `theta`."""
    for node in place.nodes():
        if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub) and isinstance(node.left, ast.Name)):
            continue
        if isinstance(node.right, ast.BinOp) and _mentions(node.right, r"(^|_)(eta|lr|step|rate|alpha|gamma)(_|$)"):
            return [(node, f"{node.left.id}.copy()")]
    return ()


def no_seed(place: Place) -> Sequence[Edit]:
    """The generator is made without its seed."""
    edits: list[Edit] = [(node, f"{ast.unparse(node.func)}()") for node in _calls(place, "default_rng") if node.args]
    for node in place.nodes():
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and _name(node.value) == "manual_seed":
            edits.append((node, "pass"))
    return edits[:1]


def wrong_split(place: Place) -> Sequence[Edit]:
    """A metric of the test rows is computed on the training rows."""
    for node in _metric_calls(place):
        parts = [item for item in [*node.args, *(key.value for key in node.keywords)] if _mentions(item, r"test")]
        if len(parts) > 1:
            return [(item, re.sub(r"test", "train", ast.unparse(item))) for item in parts]
    return ()


def constant(place: Place) -> Sequence[Edit]:
    """A metric is not computed: the paper's own number stands there."""
    for node in _metric_calls(place):
        if any(_mentions(item, r"test") for item in node.args):
            values = [row.value for row in place.plan.expected if re.search("error|accuracy", row.metric)]
            return [(node, repr(float((values or [row.value for row in place.plan.expected] or [0.5])[0])))]
    return ()


def _metric_calls(place: Place) -> list[ast.Call]:
    calls = [node for node in place.nodes() if isinstance(node, ast.Call)]
    return [node for node in calls if re.search(r"error|accuracy|score|metric|evaluate|bleu", _name(node))]


FAULTS: tuple[Fault, ...] = (
    Fault("sign of a loss term", (Form(loss_sign),), ("loss",)),
    Fault("missing square root", (Form(no_root),), ("algorithm", "model")),
    Fault(
        "wrong axis of a softmax",
        (Form(softmax_axis), Form(reduction_axis, "wrong axis of a reduction; there is no softmax")),
        ("model", "loss"),
    ),
    Fault(
        "forgotten detach",
        (Form(no_detach), Form(moving_reference, "the fixed reference point moves along; there is no autograd")),
        ("algorithm", "training"),
    ),
    Fault("train/test leak", (Form(leak),), ("data",)),
    Fault(
        "off-by-one schedule",
        (Form(late_schedule), Form(late_exponent, "the step count of a bias correction; there is no schedule")),
        ("training", "algorithm"),
    ),
    Fault("optimiser that does not step", (Form(no_step), Form(no_update, last=True)), ("algorithm", "training")),
    Fault("seed ignored", (Form(no_seed),), ("training", "algorithm", "data")),
    Fault("metric on the wrong split", (Form(wrong_split),), ("evaluation",)),
    Fault("constant result", (Form(constant, last=True),), ("evaluation",)),
)
