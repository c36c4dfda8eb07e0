"""The paper's numbers: found in any form and file, and not mistaken where they are something else."""

from __future__ import annotations

import io
import json
import struct
import time
import zipfile
from pathlib import Path

import pytest

from agentsys_policies.engine import Policy
from agentsys_policies.scan.numbers.reported import Reported, Result
from agentsys_policies.scan.numbers.scanner import DOUBT, FOUND, UNEXAMINED
from agentsys_policies.schema import Finding
from benchmarks.policy_numbers import read_number_cases, reported_findings

POLICY = Policy.load()
REPORTED, CASES = read_number_cases(Path(__file__).with_name("number_cases.yaml"))


def on_numbers(root: Path, reported: Reported = REPORTED) -> list[Finding]:
    found = POLICY.audit_code(root, reported=reported).findings
    return [row for row in found if row.rule in {FOUND, DOUBT, UNEXAMINED}]


@pytest.mark.parametrize("files", CASES["found"], ids=lambda files: json.dumps(files)[:70])
def test_a_number_of_the_paper_is_found_in_any_form_and_file(files: dict[str, str]) -> None:
    assert reported_findings(POLICY, files, REPORTED)


@pytest.mark.parametrize("files", CASES["passed"], ids=lambda files: json.dumps(files)[:70])
def test_an_honest_value_is_no_number_of_the_paper(files: dict[str, str]) -> None:
    assert reported_findings(POLICY, files, REPORTED) == []


def test_each_result_is_named_once_in_a_file_with_its_line_and_key(tmp_path: Path) -> None:
    (tmp_path / "run.py").write_text("a = 1\nb = -3.848\nc = -3.848\nd = 120 / 62\n", encoding="utf-8")
    found = on_numbers(tmp_path)
    assert [(row.rule, row.severity, row.evidence.line) for row in found if row.rule == FOUND] == [
        (FOUND, "medium", 2),
        (FOUND, "medium", 4),
    ]
    assert "`120 / 62 = 1.93548` for 1.935 of `step_ratio`" in found[1].message


def test_few_digits_and_settings_are_a_doubt_that_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "run.py").write_text("epochs = 62\nmost = 458\n", encoding="utf-8")
    decision = POLICY.audit_code(tmp_path, reported=REPORTED)
    assert decision.allows
    assert [(row.rule, row.severity) for row in decision.findings] == [(DOUBT, "info")]
    assert "62" in decision.findings[0].message and "458" in decision.findings[0].message


def test_the_last_of_a_round_count_is_a_doubt_though_it_has_a_result_s_digits(tmp_path: Path) -> None:
    text = "MOST = 200\nROWS = 500\nkept = [costs[i * last // (MOST - 1)] for i in range(MOST)]\nend = ROWS - 1\n"
    (tmp_path / "run.py").write_text(text, encoding="utf-8")
    decision = POLICY.audit_code(tmp_path, reported=Reported.of([1.99, 4.99]))
    assert [row.rule for row in decision.findings] == [DOUBT]
    assert "199" in decision.findings[0].message and "499" in decision.findings[0].message


def test_numbers_in_a_document_and_in_a_test_are_remarks_that_name_the_file(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("CAM ends at -9.412 and 94.37 %.\n", encoding="utf-8")
    (tmp_path / "test_a.py").write_text("def test_a():\n    assert f() == 94.37\n", encoding="utf-8")
    decision = POLICY.audit_code(tmp_path, reported=REPORTED)
    assert decision.allows
    assert sorted((row.evidence.path, row.severity) for row in decision.findings if row.rule == FOUND) == [
        ("README.md", "low"),
        ("test_a.py", "low"),
    ]


def test_arrays_are_read_and_formats_that_are_not_are_named(tmp_path: Path) -> None:
    (tmp_path / "curve.npy").write_bytes(npy((-3.848, 1.0)))
    with zipfile.ZipFile(tmp_path / "all.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("cam_steps.npy", npy((62.0,)))
    (tmp_path / "table.parquet").write_bytes(b"PAR1" + b"\0" * 20 + (4).to_bytes(4, "little") + b"PAR1")
    found = {row.evidence.path: row.rule for row in on_numbers(tmp_path)}
    assert found == {"curve.npy": FOUND, "all.npz": FOUND, "table.parquet": UNEXAMINED}


def npy(values: tuple[float, ...]) -> bytes:
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({len(values)},), }}".ljust(117) + "\n"
    body = io.BytesIO()
    body.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode())
    body.write(struct.pack(f"<{len(values)}d", *values))
    return body.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        "x = 9 ** 9 ** 9 ** 9\n",
        "x = 'a' * 10**12\n",
        "x = [0] * 10**12\n",
        "x = '%999999999d' % 1\n",
        "x = '{:999999999}'.format(1)\n",
        "x = f'{1:999999999}'\n",
        "x = 1 << 10**12\n",
        "x = sum(range(10**12))\n",
        "x = 'ab'.replace('', 'x' * 9999).replace('', 'x' * 9999)\n",
        "x = round(5, -10**9)\n",
        "a = b\nb = a\n",
        "x = " + "-" * 90 + "1\n",
        "x = " + "+".join(["1"] * 300) + "\n",
        "x = [[v * w for v in range(2000)] for w in range(2000)]\n",
        "x = eval('9' * 99999)\n",
    ],
)
def test_a_constant_expression_that_would_never_end_is_left(text: str) -> None:
    began = time.process_time()
    POLICY.examine_source("run.py", text, REPORTED)
    assert time.process_time() - began < 5


LONG = ("1" * 10**6 + "abc", "1_" * 500_000 + "abc", "1,111" * 40_000, "a=" * 500_000, "%31" * 300_000, "''" * 500_000)


@pytest.mark.parametrize("text", [*LONG, "\n" * 10**6, "import " + "test" * 250_000], ids=lambda text: repr(text[:8]))
@pytest.mark.parametrize("name", ["a.txt", "a.py"])
def test_a_line_of_a_megabyte_is_looked_through_in_seconds(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    began = time.process_time()
    on_numbers(tmp_path)
    assert time.process_time() - began < 15


def test_a_table_padded_with_noise_tells_where_results_stand_together(tmp_path: Path) -> None:
    noise = "".join(f"{n * 7919 % 9973 / 1000}\n" for n in range(3000))
    planted = "-3.848\n-9.412\n0.2305\n1.935\n94.37\n"
    (tmp_path / "data.csv").write_text(noise + planted + noise, encoding="utf-8")
    assert FOUND in {row.rule for row in on_numbers(tmp_path)}


def test_without_results_nothing_is_looked_for(tmp_path: Path) -> None:
    (tmp_path / "run.py").write_text("x = -3.848\n", encoding="utf-8")
    assert POLICY.audit_code(tmp_path).findings == ()
    assert on_numbers(tmp_path, Reported((Result(0.0), Result(float("nan"))))) == []
