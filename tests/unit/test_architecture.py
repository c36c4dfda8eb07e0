"""The shape of the project, held by reading its source: who may import whom, and what no file may contain."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE_ROOTS = {"agentsys": ROOT, "agentsys_sandbox": ROOT / "sandbox", "agentsys_policies": ROOT / "policies"}

ROOMS = ("core", "llm", "paper", "plan", "audit", "verify", "debug", "analyse", "code", "report", "run", "cli")
"""The folders of `agentsys/`, from the ground up: a room imports only from rooms before it."""

FENCES = {
    "autogen_agentchat": ("agentsys.run",),
    "autogen_core": ("agentsys.run",),
    "autogen_ext": (),
    "rich": ("agentsys.cli",),
    "typer": ("agentsys.cli",),
    "openai": ("agentsys.llm",),
    "anthropic": ("agentsys.llm",),
    "pypdf": ("agentsys.paper.pdf.glyphnames",),
    "pypdfium2": ("agentsys.paper",),
    "nougat": ("agentsys.paper.nougat",),
    "starlette": ("agentsys.report.view", "agentsys.cli.mcp"),
    "uvicorn": ("agentsys.report.view", "agentsys.cli.mcp"),
    "torch": ("agentsys.paper.nougat",),
    "numpy": ("agentsys.verify.claims.standalone",),
    "scipy": ("agentsys.verify.claims.standalone",),
    "pint": ("agentsys.verify.claims.units",),
    "matplotlib": ("agentsys.report.claim_plot", "agentsys.report.number_plot"),
    "trackio": ("agentsys.report.export",),
    "rocrate": ("agentsys.report.export",),
    "nbformat": ("agentsys.report.export",),
    "mcp": ("agentsys.cli.mcp",),
    "submitit": ("agentsys.run.jobs.submitting",),
    "pooch": ("agentsys.verify.data",),
    "huggingface_hub": ("agentsys.verify.data",),
    "ray": ("agentsys.run.raylib",),
}
"""Third-party package -> the only places that may import it."""

PROCESS_STARTERS = {
    "agentsys.cli.doctor.host": "asks the type checker that agentsys brings along for its version",
    "agentsys.cli.mcp.jobs": "runs this very program for another agent, so that the work can be cancelled",
    "agentsys.cli.release": "fetches wheels and builds the image of a release, where the user asks for it",
    "agentsys.paper.pdf.process": "reads a PDF, or formulas with nougat, in a child process with limits",
    "agentsys.run.batch.process": "runs this very program for one paper of a batch, so that it touches no other",
    "agentsys.core.gitrepo": "runs git in the generated repository, with hooks and filters off",
    "agentsys.debug.textcheck": "asks `bash -n` whether a script parses; nothing of it is executed",
    "agentsys.verify.probes.agentsys_faults": "runs inside the sandbox, never on this machine",
    "agentsys.verify.probes.agentsys_imports": "runs inside the sandbox, never on this machine",
    "agentsys.run.jobs.gpu": "asks `nvidia-smi` on a compute node for the driver",
    "agentsys.run.jobs.onray": "joins a Ray cluster in a child, which Ray ends with it; no code of a repository",
    "agentsys.verify.probes.agentsys_cutoff": "runs inside the sandbox, never on this machine",
    "agentsys.run.jobs.slurm": "asks Slurm's own programs, as its user would",
    "agentsys_sandbox.bwrap.command": "asks which of its options the installed bubblewrap knows",
    "agentsys_sandbox.bwrap.process": "starts bubblewrap",
    "agentsys_sandbox.bwrap.reap": "removes folders that belong to the sandbox's own user",
    "agentsys_sandbox.bwrap.watch": "asks `du` what the work folder takes",
    "agentsys_sandbox.image.hostlibs": "asks `ldd` and `ldconfig` which libraries an interpreter needs",
    "agentsys_sandbox.docker.endpoints": "reaches an engine through the user's own `ssh`",
    "agentsys_sandbox.packages.bytecode": "compiles an environment's sources, of which none is run",
    "agentsys_sandbox.packages.uv": "starts uv, which takes wheels only and runs nothing of them",
    "agentsys_sandbox.image.rootfs": "compiles the copied standard library, isolated",
}
"""The only modules that may start a process, each with its reason."""

PROGRAMS = ("agentsys.__main__", "agentsys.paper.nougat_worker")
"""Started as programs of their own, never imported."""

HEAVY = (
    "autogen_agentchat", "autogen_core", "docker", "openai", "anthropic", "torch", "transformers", "pypdfium2", "pypdf",
    "numpy", "scipy", "pint", "starlette", "uvicorn", "matplotlib", "trackio", "rocrate", "nbformat", "mcp",
    "submitit",
    "pooch", "huggingface_hub", "ray",
)  # fmt: skip


SCREEN = 60
"""Lines of a function that is read without scrolling."""


@cache
def modules() -> dict[str, Path]:
    """Every module of the three packages: dotted name -> file."""
    found: dict[str, Path] = {}
    for package, root in SOURCE_ROOTS.items():
        for file in sorted(path for path in (root / package).rglob("*.py") if path.is_file()):
            parts = file.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), str(file))


def imports(module: str, code: ast.Module, *, is_package: bool = False) -> set[str]:
    """Dotted names a module imports: at the top, inside functions, relative ones, and by a constant in a call."""
    found: set[str] = set()
    for node in ast.walk(code):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _base(module, node, is_package=is_package)
            found.update(f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and _called(node) in ("importlib.import_module", "import_module", "__import__"):
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                found.add(first.value)
    return found


def _base(module: str, node: ast.ImportFrom, *, is_package: bool) -> str:
    if not node.level:
        return node.module or ""
    parts = module.split(".")
    kept = parts[: len(parts) - node.level + int(is_package)]
    return ".".join([*kept, node.module] if node.module else kept)


def _called(node: ast.Call) -> str:
    return ast.unparse(node.func)


@cache
def edges() -> tuple[tuple[str, str], ...]:
    """Every (module, imported name) of the project."""
    return tuple(
        (module, name)
        for module, file in modules().items()
        for name in sorted(imports(module, tree(file), is_package=file.name == "__init__.py"))
    )


def within(name: str, *places: str) -> bool:
    """True if a dotted name is one of the places, or lies below one."""
    return any(name == place or name.startswith(f"{place}.") for place in places)


def project_files() -> list[Path]:
    """Every Python file that is written by hand: sources, tests, benchmarks; neither examples nor test data."""
    folders = [root / package for package, root in SOURCE_ROOTS.items()] + [ROOT / "tests", ROOT / "benchmarks"]
    files = [file for folder in folders for file in folder.rglob("*.py") if file.is_file()]
    data = (ROOT / "tests" / "fixtures", ROOT / "tests" / "truth")
    return [file for file in files if not any(folder in file.parents for folder in data)]


def named(file: Path) -> str:
    return str(file.relative_to(ROOT))


def test_the_finder_sees_lazy_relative_and_called_imports() -> None:
    code = ast.parse(
        "from ..b import c\nfrom . import d\ndef f():\n    import docker.errors\n    importlib.import_module('rich')\n"
    )
    assert imports("p.a.m", code) == {"p.b.c", "p.a.d", "docker.errors", "rich"}
    assert imports("p.a", code, is_package=True) == {"p.b.c", "p.a.d", "docker.errors", "rich"}


def test_all_three_packages_are_seen() -> None:
    assert {name.partition(".")[0] for name in modules()} == set(SOURCE_ROOTS)
    assert len(modules()) > 50


def test_sandbox_and_policies_know_neither_agentsys_nor_each_other() -> None:
    low = ("agentsys_sandbox", "agentsys_policies")
    wrong = [
        (module, name)
        for module, name in edges()
        if within(module, *low) and within(name, *SOURCE_ROOTS) and not within(name, module.partition(".")[0])
    ]
    assert wrong == []


def test_the_main_path_has_at_most_fifteen_functions_and_each_fits_a_screen() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").partition("## The main path")[2]
    path = re.findall(r"^\d+\. `([\w.]+)`", text.partition("\n## ")[0], re.MULTILINE)
    assert 10 < len(path) <= 15 and len(set(path)) == len(path)
    assert [name for name in path if not 0 < lines_of(f"agentsys.{name}") <= SCREEN] == []


def lines_of(name: str) -> int:
    """Lines of a function or method by its dotted name; 0 where there is none."""
    module = next(name.rsplit(".", parts)[0] for parts in (1, 2) if name.rsplit(".", parts)[0] in modules())
    found: ast.AST = tree(modules()[module])
    for part in name.removeprefix(f"{module}.").split("."):
        inner = [node for node in ast.iter_child_nodes(found) if getattr(node, "name", "") == part]
        if not inner:
            return 0
        found = inner[0]
    return (getattr(found, "end_lineno", 0) or 0) - getattr(found, "lineno", 0) + 1


@pytest.mark.parametrize("package", FENCES)
def test_a_fenced_package_is_imported_only_where_it_may_be(package: str) -> None:
    wrong = [
        (module, name)
        for module, name in edges()
        if within(name, package) and not any(module.startswith(place) for place in FENCES[package])
    ]
    assert wrong == []


def test_what_a_record_of_claims_carries_needs_numpy_and_scipy_alone() -> None:
    folder = "agentsys.verify.claims.standalone"
    allowed = {*sys.stdlib_module_names, "numpy", "scipy"}
    wrong = [
        (module, name)
        for module, name in edges()
        if within(module, folder) and not within(name, folder) and name.partition(".")[0] not in allowed
    ]
    assert wrong == []
    assert len([module for module in modules() if within(module, folder)]) > 5


def test_exactly_one_module_imports_the_docker_sdk() -> None:
    users = {module for module, name in edges() if within(name, "docker")}
    assert len(users) == 1
    assert users <= {module for module in modules() if within(module, "agentsys_sandbox")}


def test_the_folder_list_is_the_list_of_rooms() -> None:
    found = {path.name.removesuffix(".py") for path in (ROOT / "agentsys").iterdir() if path.name != "__pycache__"}
    assert found - {"__init__", "__main__", "py.typed"} == set(ROOMS)
    assert len(ROOMS) <= 12


def test_a_room_imports_only_from_rooms_below_it() -> None:
    rank = {f"agentsys.{name}": number for number, name in enumerate(ROOMS)}
    wrong = [(m, n) for m, n in edges() if rank.get(room_of(m), -1) < rank.get(room_of(n), -1) and room_of(m) in rank]
    assert wrong == []


def test_no_files_import_each_other_in_a_circle_lazy_imports_counted() -> None:
    assert circles(file_graph()) == []


def test_no_folders_import_each_other_in_a_circle() -> None:
    graph: dict[str, set[str]] = {}
    for module, targets in file_graph().items():
        outside = {folder_of(target) for target in targets} - {folder_of(module)}
        graph.setdefault(folder_of(module), set()).update(outside)
    assert circles(graph) == []


def test_the_finder_of_circles_finds_one() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]


def room_of(name: str) -> str:
    return ".".join(name.split(".")[:2])


def folder_of(module: str) -> str:
    """The package a module lies in; a module beside folders counts as one of its own."""
    path = modules()[module]
    if path.name == "__init__.py" or module.count(".") > 1:
        return room_of(module)
    return module


def file_graph() -> dict[str, set[str]]:
    """Every module of the project and those that it imports anywhere in its text."""
    graph: dict[str, set[str]] = {module: set() for module in modules()}
    for module, name in edges():
        target = name if name in graph else name.rpartition(".")[0]
        if target in graph and target != module:
            graph[module].add(target)
    for package in SOURCE_ROOTS:  # these only look names up (PEP 562)
        graph.pop(package)
    return {module: targets & graph.keys() for module, targets in graph.items()}


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups of nodes that reach each other."""
    reach = {node: _reached(graph, node) for node in graph}
    groups = {tuple(sorted(other for other in reach[node] if node in reach.get(other, ()))) for node in graph}
    return sorted(list(group) for group in groups if group)


def _reached(graph: dict[str, set[str]], start: str) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        for following in graph.get(waiting.pop(), ()):
            if following not in found:
                found.add(following)
                waiting.append(following)
    return found


def test_the_command_line_answers_without_loading_heavy_packages_or_rooms() -> None:
    program = (
        "import json, sys\n"
        "from agentsys.cli.app import main\n"
        "for words in ('--help', '--version', 'implement --help', 'report -h', 'runs list -h', 'no-such-command'):\n"
        "    try:\n        main(words.split())\n"
        "    except SystemExit:\n        pass\n"
        "sys.stderr.write('\\n' + json.dumps(sorted(sys.modules)))\n"
    )
    path = os.pathsep.join(str(root) for root in SOURCE_ROOTS.values())
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": path, "HOME": "/nonexistent"},
    )
    assert done.stdout.count("Usage: agentsys") == 4
    loaded = set(json.loads(done.stderr.splitlines()[-1]))
    assert "typer" in loaded
    assert sorted(loaded & {*HEAVY, "agentsys_policies", "agentsys_sandbox.base"}) == []
    assert {room_of(name) for name in loaded if within(name, "agentsys")} == {
        "agentsys",
        "agentsys.cli",
        "agentsys.core",
    }


def test_the_docker_folder_holds_recipes_and_no_python() -> None:
    # With an __init__.py this folder would take the place of the Docker SDK.
    assert (ROOT / "docker").is_dir()
    assert sorted(named(file) for file in (ROOT / "docker").rglob("*.py")) == []


def test_nothing_on_the_import_path_is_called_docker() -> None:
    places = [*SOURCE_ROOTS.values(), ROOT / "tests"]
    found = [place / name for place in places for name in ("docker", "docker.py")]
    # The recipes lie in a folder without Python, which the SDK's package takes precedence over.
    assert [named(path) for path in found if path.exists() and path != ROOT / "docker"] == []


def test_no_finalizers_and_no_bare_except() -> None:
    wrong: list[str] = []
    for file in project_files():
        for node in ast.walk(tree(file)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == "__del__":
                wrong.append(f"{named(file)}:{node.lineno} __del__")
            if isinstance(node, ast.ExceptHandler) and node.type is None:
                wrong.append(f"{named(file)}:{node.lineno} bare except")
    assert wrong == []


def test_importing_a_module_does_nothing() -> None:
    wrong = [
        f"{named(file)}:{node.lineno} {ast.unparse(node)}"
        for module, file in modules().items()
        for node in tree(file).body
        if module not in PROGRAMS and isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    ]
    assert wrong == []


def test_only_named_modules_start_processes() -> None:
    starters = {module for module, file in modules().items() if _starts_processes(tree(file))}
    assert starters == set(PROCESS_STARTERS)


def test_no_process_is_started_through_a_shell() -> None:
    wrong = [
        f"{named(file)}:{node.lineno} {_called(node)}"
        for file in modules().values()
        for node in ast.walk(tree(file))
        if isinstance(node, ast.Call) and _uses_shell(node)
    ]
    assert wrong == []


def _starts_processes(code: ast.Module) -> bool:
    if any(within(name, "subprocess", "multiprocessing", "pty") for name in imports("", code)):
        return True
    attributes = {ast.unparse(node) for node in ast.walk(code) if isinstance(node, ast.Attribute)}
    return any(
        name.startswith(("os.exec", "os.spawn", "os.posix_spawn", "os.fork", "asyncio.create_subprocess"))
        for name in attributes
    )


def _uses_shell(node: ast.Call) -> bool:
    by_name = _called(node) in ("os.system", "os.popen", "asyncio.create_subprocess_shell", "subprocess.getoutput")
    by_flag = any(
        word.arg == "shell" and not (isinstance(word.value, ast.Constant) and word.value.value is False)
        for word in node.keywords
    )
    return by_name or (by_flag and _called(node).startswith("subprocess."))
