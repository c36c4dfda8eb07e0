"""Files of raw rows: what an experiment may write, and what is refused with file, line and reason."""

from __future__ import annotations

import csv
from fractions import Fraction
from pathlib import Path

import pytest

from agentsys.verify.claims.standalone.rows import HEADER, RowsError, read_rows

HEAD = ",".join(HEADER) + "\n"


def read(folder: Path, text: str | bytes) -> object:
    file = folder / "r.csv"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_rows([file])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n", "line 1: the first line must be `claim,seed"),
        ("", "the first line must be"),
        (HEAD + "C1,0,,m,v,1\n", "line 2: 6 fields instead of 7"),
        (HEAD + "C1,0,,m,v,1,s\nX1,0,,m,v,1,s\n", "line 3: claim 'X1' is malformed"),
        (HEAD + "C1,0.5,,m,v,1,s\n", "seed '0.5' is not an integer"),
        (HEAD + "C1,0,n,m,v,1,s\n", "setting 'n' is not"),
        (HEAD + "C1,0,n=1;n=2,m,v,1,s\n", "distinct keys"),
        (HEAD + "C1,0,n=../x,m,v,1,s\n", "setting 'n=../x'"),
        (HEAD + "C1,0,,=cmd(),v,1,s\n", "method '=cmd()' is malformed"),
        (HEAD + "C1,0,,m,v,1_000,s\n", "neither a number nor a fraction"),
        (HEAD + "C1,0,,m,v,0x10,s\n", "neither a number nor a fraction"),
        (HEAD + "C1,0,,m,v,٣,s\n", "neither a number nor a fraction"),
        (HEAD + "C1,0,,m,v,1/0,s\n", "divides by zero"),
        (HEAD + f"C1,0,,m,v,{'9' * 4001},s\n", "neither a number nor a fraction"),
        (HEAD + "C1,0,,m,v,1,__import__('os')\n", "unit"),
        (HEAD + 'C1,0,,m,v,"1\n', "not CSV in UTF-8"),
        (HEAD.encode() + b"C1,0,,m\xff,v,1,s\n", "not CSV in UTF-8"),
    ],
)
def test_a_malformed_file_is_refused_with_its_line(tmp_path: Path, text: str | bytes, said: str) -> None:
    with pytest.raises(RowsError, match=r"r\.csv") as error:
        read(tmp_path, text)
    assert said in str(error.value)


def test_the_order_of_keys_makes_no_other_setting(tmp_path: Path) -> None:
    file = tmp_path / "r.csv"
    file.write_text(HEAD + "C1,0,n=1;d=2,m,v,1,s\nC1,1,d=2;n=1,m,v,2,s\n")
    rows = read_rows([file])
    assert rows.settings == ({"n": "1", "d": "2"},)
    assert rows.setting.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("text", "exact"),
    [
        ("5", Fraction(5)),
        ("-3/7", Fraction(-3, 7)),
        (str(2**60 + 1), Fraction(2**60 + 1)),
        ("1" + "0" * 400, Fraction(10**400)),
        ("0.5", None),
        ("1e3", None),
        ("nan", None),
        ("-inf", None),
    ],
)
def test_integers_and_fractions_are_exact_and_decimals_are_not(
    tmp_path: Path, text: str, exact: Fraction | None
) -> None:
    file = tmp_path / "r.csv"
    file.write_text(HEAD + f"C1,0,,m,v,{text},s\n")
    rows = read_rows([file])
    assert rows.exact.tolist() == [exact is not None]
    if exact is not None:
        assert rows.fraction(0) == exact


def test_rows_of_several_files_are_found_by_claim_and_quantity(tmp_path: Path) -> None:
    for number in (1, 2):
        with (tmp_path / f"{number}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(HEADER)
            for seed in range(3):
                writer.writerow((f"C{number}", seed, "", "m", "v", number, "s"))
                writer.writerow((f"C{number}", seed, "", "m", "w", -number, "s"))
    rows = read_rows([tmp_path / "1.csv", tmp_path / "2.csv"])
    assert rows.value[rows.of_quantity("C2", "w")].tolist() == [-2, -2, -2]
    assert len(rows.of_claim("C1")) == 6
    assert len(rows.of_claim("C3")) == len(rows.of_quantity("C1", "z")) == 0
