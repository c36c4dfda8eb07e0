"""What a plan must satisfy beyond its types."""

from __future__ import annotations

import pytest

from agentsys.core.artifacts import Dependency, FileSpec, PaperPlace
from agentsys.plan.answers import DesignAnswer, EvaluationAnswer, Ledger, clean_design
from agentsys.plan.rules import design_problems, evaluation_problems, find_cycle, levels
from agentsys.plan.traceability import missing_config_keys, missing_symbols, put_right, symbol_problems

PLACE = PaperPlace(section="3")


def ledger(**changes: object) -> Ledger:
    data: dict[str, object] = {
        "summary": "a plan",
        "requirements": [
            {"id": "R1", "what": "a loss", "place": {"section": "3"}},
            {"id": "R2", "what": "a test", "place": {"section": "4"}},
        ],
        "experiments": [{"name": "toy", "what": "w", "full": "f", "smoke": "s"}],
        "expected": [],
    }
    return Ledger.model_validate(data | changes)


def design(files: list[FileSpec] | None = None, **changes: object) -> DesignAnswer:
    planned = files or [
        FileSpec(path="pkg/loss.py", purpose="p", interface="def loss(x: float) -> float", requirements=("R1",)),
        FileSpec(
            path="tests/test_loss.py", kind="test", purpose="p", depends_on=("pkg/loss.py",), requirements=("R2",)
        ),
        FileSpec(path="reproduce.sh", kind="script", purpose="p"),
        FileSpec(path="README.md", kind="doc", purpose="p"),
    ]
    return DesignAnswer(package="pkg", architecture="a", files=tuple(planned), **changes)  # type: ignore[arg-type]


def with_file(path: str, **changes: object) -> DesignAnswer:
    base = design()
    spec = FileSpec(path=path, purpose="p", **changes)  # type: ignore[arg-type]
    return base.model_copy(update={"files": (*base.files, spec)})


def test_a_sound_design_has_no_problem():
    assert design_problems(design(), ledger()) == []


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../x.py",
        "pkg/../../x.py",
        ".git/hooks/pre-commit",
        "nul",
        "a" * 300 + ".py",
        "x\x00.py",
        "pkg/./x.py",
    ],
)
def test_a_hostile_file_name_is_a_problem(path: str):
    assert any("file path" in problem for problem in design_problems(with_file(path), ledger()))


def test_a_cycle_is_named_with_its_files():
    looped = with_file("pkg/a.py", depends_on=("pkg/b.py",))
    looped = looped.model_copy(
        update={"files": (*looped.files, FileSpec(path="pkg/b.py", purpose="p", depends_on=("pkg/a.py",)))}
    )
    problems = design_problems(looped, ledger())
    assert any("circle" in problem and "pkg/a.py" in problem and "pkg/b.py" in problem for problem in problems)


def test_a_requirement_without_owner_is_a_problem():
    orphaned = [spec.model_copy(update={"requirements": ()}) for spec in design().files]
    problems = design_problems(design(orphaned), ledger())
    assert [problem for problem in problems if "R1 has no owner" in problem]


def test_an_unknown_requirement_and_an_unknown_dependency_are_problems():
    problems = design_problems(with_file("pkg/x.py", requirements=("R9",), depends_on=("pkg/none.py",)), ledger())
    assert any("R9" in problem for problem in problems)
    assert any("pkg/none.py" in problem for problem in problems)


@pytest.mark.parametrize("missing", ["reproduce.sh", "README.md", "tests/test_loss.py", "pkg/loss.py"])
def test_the_files_that_verification_needs_must_be_planned(missing: str):
    rest = [
        spec.model_copy(update={"depends_on": (), "requirements": ("R1", "R2")})
        for spec in design().files
        if spec.path != missing
    ]
    assert design_problems(design(rest), ledger())


@pytest.mark.parametrize("name", ["evil @ https://example.invalid/x.whl", "--index-url=http://x", "two words"])
def test_a_dependency_is_a_name_and_a_specifier_and_nothing_else(name: str):
    assert design_problems(design(dependencies=(Dependency(name=name),)), ledger())


def test_names_that_differ_in_case_only_are_a_problem():
    assert any("twice" in problem for problem in design_problems(with_file("PKG/loss.py"), ledger()))


def test_result_keys_are_identifiers_and_experiments_are_known():
    row = {"id": "E1", "experiment": "none", "metric": "m", "value": 1, "place": {"section": "5"}, "result_key": "a b"}
    answer = EvaluationAnswer.model_validate(ledger(expected=[row]).model_dump())
    problems = evaluation_problems(answer)
    assert any("not in the list" in problem for problem in problems)
    assert any("identifier" in problem for problem in problems)


def test_what_the_tooling_writes_is_taken_out_of_a_design_and_pytest_is_put_in():
    files = [*design().files, FileSpec(path="requirements.txt", kind="requirements", purpose="p")]
    files[0] = files[0].model_copy(update={"depends_on": ("requirements.txt",)})
    cleaned = clean_design(design(files))
    assert "requirements.txt" not in [spec.path for spec in cleaned.files]
    assert cleaned.files[0].depends_on == ()
    assert [row.name for row in cleaned.dependencies] == ["pytest"]


def named(path: str, interface: str, symbols: dict[str, tuple[str, ...]]) -> FileSpec:
    return FileSpec(path=path, purpose="p", interface=interface, requirements=tuple(symbols), symbols=symbols)


def test_a_name_that_one_other_file_offers_is_given_to_it_and_the_answer_is_not_asked_for_again():
    uses = named("pkg/loss.py", "def loss(x: float) -> float", {"R1": ("loss", "Net.log_q", "config:lr")})
    offers = named("pkg/net.py", "class Net:\n    def log_q(self) -> float", {"R2": ("Net",)})
    first, second = put_right([uses, offers])
    assert first.symbols == {"R1": ("loss", "config:lr")} and first.requirements == ("R1",)
    assert second.symbols == {"R1": ("Net.log_q",), "R2": ("Net",)} and second.requirements == ("R2", "R1")
    assert not symbol_problems(first, ()) and not symbol_problems(second, ())


def test_what_a_test_names_of_the_code_goes_where_the_code_carries_the_requirement():
    test = named("tests/test_net.py", "", {"R1": ("Net.log_q",), "R2": ("Net.log_q",)})
    test = test.model_copy(update={"kind": "test"})
    nets = [named(f"pkg/net{n}.py", "class Net:\n    def log_q(self) -> float", {"R1": ("Net",)}) for n in range(2)]
    first, *others = put_right([test, *nets])
    assert first.symbols == {"R1": (), "R2": ("Net.log_q",)}, "nothing else carries R2: that is told"
    assert others == nets and symbol_problems(first, ())


@pytest.mark.parametrize("others", [0, 2])
def test_a_name_that_nobody_offers_or_several_do_is_left_to_be_told(others: int):
    uses = named("pkg/loss.py", "def loss(x: float) -> float", {"R1": ("Net.log_q",)})
    nets = [named(f"pkg/net{number}.py", "class Net:\n    def log_q(self) -> float", {}) for number in range(others)]
    assert put_right([uses, *nets]) == (uses, *nets) and symbol_problems(uses, ())


def test_levels_put_every_file_after_what_it_needs():
    order = levels(design().files)
    assert [spec.path for spec in order[0]] == ["pkg/loss.py", "reproduce.sh", "README.md"]
    assert [spec.path for spec in order[1]] == ["tests/test_loss.py"]


def test_find_cycle_returns_the_cycle_closed():
    cycle = find_cycle({"a": ["b"], "b": ["c"], "c": ["b"]})
    assert cycle[0] == cycle[-1] and set(cycle) == {"b", "c"}
    assert find_cycle({"a": ["b"], "b": []}) == []


def test_a_source_file_that_others_need_must_say_its_interface():
    silent = [spec.model_copy(update={"interface": ""}) for spec in design().files]
    assert any("no `interface`" in problem for problem in design_problems(design(silent), ledger()))


@pytest.mark.parametrize(
    "path",
    ["results/results.json", "results/x.py", "requirements.txt", "configs/smoke.yaml", "requirements.lock", "AUDIT.md",
     "venv/x.py", "pkg/__pycache__/x.py", "pkg/loss.py/inner.py", "Tests/test_other.py", "Configs/x.yaml"],
)  # fmt: skip
def test_what_a_run_or_the_tooling_writes_and_what_cannot_be_written_is_no_planned_file(path: str):
    assert design_problems(with_file(path), ledger())


def carrying(*names: str) -> FileSpec:
    return FileSpec(
        path="pkg/loss.py",
        purpose="p",
        interface="class Loss:\n    def value(self, x: float) -> float",
        requirements=("R1",),
        symbols={"R1": names},
    )


@pytest.mark.parametrize("name", ["Loss.gradient", "result:no_such_key", "", "other"])
def test_a_carrier_that_the_interface_or_the_results_do_not_know_is_a_problem(name: str):
    files = [carrying(name), *design().files[1:]]
    assert any("R1" in problem for problem in design_problems(design(files), ledger()))


def test_a_carrier_that_the_interface_promises_is_none():
    assert design_problems(design([carrying("Loss.value", "config:a.b"), *design().files[1:]]), ledger()) == []


def test_a_configuration_key_that_carries_a_requirement_must_be_in_the_configuration():
    spec = carrying("config:model.width")
    assert missing_config_keys([spec], {"model": {"width": 3}}) == []
    assert "model.width" in missing_config_keys([spec], {"model": {"depth": 3}})[0]


def test_a_file_without_a_function_that_carries_a_requirement_is_noticed():
    spec = carrying("Loss.value", "config:model.width")
    assert missing_symbols(spec, "class Loss:\n    def value(self, x):\n        return x\n") == []
    assert missing_symbols(spec, "class Loss:\n    pass\n") == ["Loss.value"]
