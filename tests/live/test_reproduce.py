"""A delivered repository's full profile, run later for real: with data, without network, nothing of it changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentsys.core.rundir import RunDir
from agentsys.core.settings import Settings
from agentsys.report.data import collect
from agentsys.report.markdown import markdown
from agentsys.run.reproduce import Order, Reproduced, reproduce
from agentsys.verify.datafiles import read_folder
from live.sandboxes import Place
from unit.verify.delivered import FILES, deliver

pytestmark = pytest.mark.index

LARGE = 33_000_000
FETCH = """\
import json
import sys
import urllib.request


def main() -> None:
    urllib.request.urlopen("http://numbers.invalid/large.txt", timeout=5)
    json.dump({}, sys.stdout)


if __name__ == "__main__":
    main()
"""


def tree(run: RunDir) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(run.repo.rglob("*")) if path.is_file()}


async def carry_out(
    place: Place, run: RunDir, data: Path | None, shown: list[bytes], profile: str = "full"
) -> Reproduced:
    settings = Settings.model_validate(
        {"backend": place.backend, "memory_mb": 1024, "cpus": 1.0, "allow_weak_sandbox": place.backend == "bwrap"}
    )
    run.write(run.read().model_copy(update={"id": place.run}))
    order = Order(
        profile,  # type: ignore[arg-type]
        120.0,
        read_folder(data) if data else None,
        lambda stream, piece: shown.append(piece),
    )
    return await reproduce(run, settings, order)


async def test_the_full_profile_runs_on_the_users_data_and_its_numbers_enter_the_report(
    place: Place, tmp_path: Path
) -> None:
    run = deliver(tmp_path)
    data = tmp_path / "mine"
    data.mkdir()
    (data / "numbers.txt").write_text("1.0\n2.0\n3.0\n")
    (data / "large.bin").write_bytes(b"\1" * LARGE)
    before, shown = tree(run), list[bytes]()
    done = await carry_out(place, run, data, shown)
    assert done.record.passed, (done.record, (done.folder / "run.log").read_text())
    printed = b"".join(shown)
    assert b"running full" in printed and f"('large.bin', {LARGE})".encode() in printed
    assert tree(run) == before and not (run.repo / "data").exists()
    assert json.loads((done.folder / "results.json").read_text())["large"] == 3.0
    packages = json.loads((done.folder / "packages.json").read_text())
    assert ("pytest", "8.3.4") in [(row["name"], row["version"]) for row in packages]
    report = collect(run)
    assert [(row.measured, row.profile, row.smoke) for row in report.measured] == [
        (2.0, "full", 1.25),
        (3.0, "full", None),
    ]
    assert "2 (smoke: 1.25)" in markdown(report)
    assert (data / "numbers.txt").stat().st_mode & 0o200, "the user's own files stay as they are"


async def test_what_wants_the_network_or_misses_data_fails_with_the_remedy(place: Place, tmp_path: Path) -> None:
    shown: list[bytes] = []
    missing = await carry_out(place, deliver(tmp_path / "one"), None, shown)
    assert not missing.record.passed and "misses a file of `data/`" in missing.record.reason
    fetching = deliver(tmp_path / "two", {**FILES, "tiny/run.py": FETCH})
    done = await carry_out(place, fetching, None, shown)
    assert not done.record.passed and "wants the network" in done.record.reason and "--data-dir DIR" in done.record.hint
    assert [row.profile for row in collect(fetching).measured] == ["smoke", "smoke"]
