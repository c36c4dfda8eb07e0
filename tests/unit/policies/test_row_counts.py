"""How many rows a file of arrays or columns says that it has, against the libraries that write such files."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

from agentsys_policies.scan.arrays import NotPlain, row_counts
from agentsys_policies.scan.parquet import parquet_rows

pq: Any = pytest.importorskip("pyarrow.parquet", reason="pyarrow writes the files")
pa: Any = pytest.importorskip("pyarrow", reason="pyarrow writes the files")


def parquet(**options: Any) -> bytes:
    table = pa.table(
        {"x": list(range(70)), "name": [f"n{i}" for i in range(70)], "flag": [i % 2 == 0 for i in range(70)],
         "deep": [{"a": [i, None], "b": {"c": "x"}} for i in range(70)]}
    )  # fmt: skip
    file = io.BytesIO()
    pq.write_table(table.replace_schema_metadata({"k": "v" * 300}), file, **options)
    return file.getvalue()


@pytest.mark.parametrize("options", [{}, {"row_group_size": 10}, {"version": "1.0", "compression": "gzip"}])
def test_the_rows_of_a_parquet_file_are_those_that_were_written(options: dict[str, Any]) -> None:
    assert row_counts(".parquet", parquet(**options)) == (70,)


def test_every_cut_or_changed_footer_ends_and_is_no_crash() -> None:
    whole = parquet()
    size = int.from_bytes(whole[-8:-4], "little")
    footer = whole[-8 - size : -8]
    for end in range(0, len(footer), 7):
        try:
            parquet_rows(footer[:end])
        except (ValueError, IndexError):
            continue
    for place in range(200):
        changed = bytearray(footer)
        changed[place] ^= 0xFF
        try:
            parquet_rows(bytes(changed))
        except (ValueError, IndexError):
            continue


def test_the_first_dimension_of_each_array_is_read_without_reading_the_numbers() -> None:
    file = io.BytesIO()
    np.savez(file, x=np.zeros((60, 28, 28), np.uint8), y=np.arange(60))
    assert row_counts(".npz", file.getvalue()) == (60, 60)
    single = io.BytesIO()
    np.save(single, np.zeros((5, 2)))
    assert row_counts(".npy", single) == (5,)


def test_objects_are_no_rows() -> None:
    file = io.BytesIO()
    np.savez(file, x=np.array([{"a": 1}], dtype=object))
    with pytest.raises(NotPlain, match="pickle"):
        row_counts(".npz", file.getvalue())
