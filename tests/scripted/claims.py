"""Claims of the scripted paper, and contracts for them (written by hand for these tests)."""

from __future__ import annotations

import json

from scripted.answers import CORE_RIGHT, as_json, fenced, first_version
from scripted.paper import PAPER

CLAIMS = [
    {
        "kind": "number",
        "text": "With b = 0.9 and the stream 1, 2, ..., 100 the last corrected value is 91.0.",
        "places": [{"place": "Section 3", "words": "the last corrected value is 91.0 (to one decimal place)"}],
        "targets": [{"quantity": "last corrected value", "value": 91.0, "where": "Section 3"}],
    },
    {
        "kind": "identity",
        "text": "For a constant stream, c_t equals the constant for every t.",
        "places": [{"place": "Section 2", "words": "For a constant stream, c_t equals the constant for every t."}],
    },
    {
        "kind": "qualitative",
        "text": "The first values of exponential averages are too small.",
        "places": [{"place": "Section 1", "words": "Their first values are therefore too small."}],
    },
]
_LAST = {"type": "mean", "method": "ours", "quantity": "last_value"}
_ERROR = {"type": "max_error", "method": "ours", "reference": "constant", "quantity": "value"}
CONTRACTS = [
    {
        "claim": "C1",
        "target": 1,
        "deterministic": True,
        "grid": {"b": ["0.9"]},
        "accept": {**_LAST, "low": 90.95, "high": 91.05},
        "falsify": {"type": "fails", "rule": {**_LAST, "low": 90.5, "high": 91.5}},
        "control": {"what": "the same average with the weight b = 0.5"},
        "toy_below": {"length": 100},
    },
    {
        "claim": "C2",
        "domain": "For a constant stream",
        "seeds": 3,
        "horizon": {"axis": "t", "at_least": 64},
        "accept": {**_ERROR, "at_most": 1e-9},
        "falsify": {"type": "fails", "rule": {**_ERROR, "at_most": 1e-6}},
        "control": {"what": "the average without its correction"},
        "toy_below": {"t": 64},
    },
    {"claim": "C3"},
]


def claimed(core: str = CORE_RIGHT) -> dict[tuple[str, ...], str]:
    """Answers of a run whose claims have contracts, up to the first verification."""
    return {
        **first_version(core),
        ("planner", "claims"): as_json({"claims": CLAIMS}),
        ("planner", "contradictions"): json.dumps({"contradictions": []}),
        ("planner", "contracts"): as_json({"contracts": CONTRACTS}),
    }


_HEAD = '''"""Raw rows of one claim."""

from __future__ import annotations

import argparse
import csv
import random

from runmean.core import corrected_means

parser = argparse.ArgumentParser()
parser.add_argument("--case", required=True)
parser.add_argument("--seed", type=int, required=True)
parser.add_argument("--setting", action="append", default=[])
parser.add_argument("--out", required=True)
given = parser.parse_args()
setting = dict(part.split("=", 1) for part in given.setting)
words = ";".join(([] if given.case == "main" else [f"case={given.case}"]) + given.setting)
'''
_TAIL = """
with open(given.out, "w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["claim", "seed", "setting", "method", "quantity", "value", "unit"])
    writer.writerows(rows)
"""
LAST_VALUE = f"""{_HEAD}
weight = 0.5 if given.case == "control" else float(setting["b"])
means = corrected_means([float(i) for i in range(1, int(setting["length"]) + 1)], weight)
rows = [["C1", given.seed, words, "ours", "last_value", repr(means[-1]), ""]]
{_TAIL}"""
CONSTANT = f"""{_HEAD}
steps = int(setting["t"])
constant = random.Random(given.seed).uniform(1.0, 1.1)
means = corrected_means([constant] * steps, 0.9)
value = means[-1] * (1.0 - 0.9**steps) if given.case == "control" else means[-1]
rows = [
    ["C2", given.seed, words, "ours", "value", repr(value), ""],
    ["C2", given.seed, words, "constant", "value", repr(constant), ""],
]
{_TAIL}"""


BRUTE = f"""{_HEAD.replace("from runmean.core import corrected_means", "")}
weight, length = float(setting["b"]), int(setting["length"])
weights = [(1.0 - weight) * weight ** (length - i) for i in range(1, length + 1)]
value = sum(w * i for i, w in enumerate(weights, 1)) / (1.0 - weight**length)
rows = [["C1", given.seed, words, "ours", "last_value", repr(value), ""]]
{_TAIL}"""


def measured(last_value: str = LAST_VALUE, constant: str = CONSTANT) -> dict[tuple[str, ...], str]:
    """The same with a program for each claim that has rules."""
    return {
        **claimed(),
        ("coder", "claims/c1.py"): fenced(last_value),
        ("coder", "claims/c2.py"): fenced(constant),
    }


WRONG_PAPER = PAPER + "\nWith b = 0.5 and the same stream the last corrected value is 97.0.\n"
"""The scripted paper with one statement more, which is not so: the value is 99.0."""
WRONG_CLAIM = {
    "id": "C1",
    "kind": "number",
    "text": "With b = 0.5 and the same stream the last corrected value is 97.0.",
    "places": [{"place": "Section 3", "words": "With b = 0.5 and the same stream the last corrected value is 97.0."}],
    "targets": [{"quantity": "last corrected value", "value": 97.0, "where": "Section 3"}],
}
WRONG_CONTRACT = {
    "claim": "C1",
    "target": 1,
    "deterministic": True,
    "grid": {"b": ["0.5"]},
    "accept": {**_LAST, "low": 96.5, "high": 97.5},
    "falsify": {"type": "fails", "rule": {**_LAST, "low": 96.0, "high": 98.0}},
    "control": {"what": "the same average with the weight b = 0.9"},
    "toy_below": {"length": 100},
}
_MEANS = 'means = corrected_means([float(i) for i in range(1, int(setting["length"]) + 1)], weight)'
_MET = {
    "row 1": (_MEANS, "the last corrected value is 97.0"),
    "settings": (_MEANS, "the same stream"),
    "control": ('weight = 0.9 if given.case == "control" else float(setting["b"])', "the same average with the weight"),
    "computed": (_MEANS, ""),
}


def reviewed(differs: dict[str, str] | None = None, without: tuple[str, ...] = ()) -> str:
    """A reviewer's answer on the program of the wrong claim.

    Args:
        differs: item -> how it differs.
        without: items that the answer leaves out.
    """
    items = [
        {"item": name, "file": "claims/c1.py", "line": line, "words": words, "differs": (differs or {}).get(name, "")}
        for name, (line, words) in _MET.items()
        if name not in without
    ]
    return as_json({"reviews": [{"claim": "C1", "items": items}]})


def wrong_claim(program: str = LAST_VALUE.replace("0.5 if", "0.9 if")) -> dict[tuple[str, ...], str]:
    """Answers of a run whose only claim is the wrong one, up to the review; the checker agrees with the program."""
    return {
        **first_version(CORE_RIGHT),
        ("planner", "claims"): as_json({"claims": [WRONG_CLAIM]}),
        ("planner", "contradictions"): json.dumps({"contradictions": []}),
        ("planner", "contracts"): as_json({"contracts": [WRONG_CONTRACT]}),
        ("coder", "claims/c1.py"): fenced(program),
        ("checker", "claims/check_c1.py"): fenced(BRUTE),
    }
