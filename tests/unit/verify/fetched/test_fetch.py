"""Sources fetched from real servers shaped as theirs: pinned, checked against the pin, shared, gone on with."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentsys.core.artifacts import DataSource
from agentsys.core.errors import AgentsysError, BlockedError, LimitReached, PrerequisiteError, UsageError
from agentsys.core.settings import Settings
from agentsys.verify.data.fetch import Fetcher, hub_mirror
from agentsys.verify.data.pins import FILE, Pinned, read_lock
from agentsys.verify.data.store import Store
from agentsys_policies.engine import Policy
from unit.verify.fetched.server import Site, hub, serving

CSV = b"x,y\n1,2\n3,4\n"
HOSTS = (
    "data.github.com", "huggingface.co", "zenodo.org", "api.figshare.com", "ndownloader.figshare.com", "doi.org",
    "dataverse.harvard.edu", "www.openml.org", "archive.ics.uci.edu", "www.csie.ntu.edu.tw",
    "ossci-datasets.s3.amazonaws.com",
)  # fmt: skip


@pytest.fixture(scope="module")
def permitted() -> tuple[str, ...]:
    return Policy.load("default").set.hosts.data


@pytest.fixture
def site() -> Iterator[Site]:
    with serving(Site()) as made:
        yield made


class Bench:
    """A repository, a cache, and fetchers that ask the server in place of every host."""

    def __init__(self, root: Path, site: Site, hosts: tuple[str, ...]) -> None:
        self.repo, self.store, self.site = root / "repo", Store(root / "cache"), site
        self.repo.mkdir()
        self._hosts = hosts

    def settings(self, **more: Any) -> Settings:
        return Settings(data_mirrors=[f"{host}={self.site.base}" for host in HOSTS], **more)

    def fetcher(self, repo: Path | None = None, **more: Any) -> Fetcher:
        made = Fetcher(repo or self.repo, self.settings(**more), self._hosts, store=self.store)
        made.wire.pause = 0.0
        return made

    def get(self, source: DataSource, **more: Any) -> Pinned:
        fetcher = self.fetcher(**more)
        return fetcher.here(source) or fetcher.fetch(fetcher.offer(source))

    def content(self, pinned: Pinned) -> dict[str, bytes]:
        return {name: self.store.path(digest).read_bytes() for name, digest in pinned.files.items()}


@pytest.fixture
def bench(tmp_path: Path, site: Site, permitted: tuple[str, ...]) -> Bench:
    return Bench(tmp_path, site, permitted)


def source(kind: str = "url", identifier: str = "https://data.github.com/x.csv", **fields: Any) -> DataSource:
    return DataSource.model_validate({"name": "set", "kind": kind, "identifier": identifier, **fields})


def test_a_file_is_fetched_once_pinned_and_shared_by_all_runs(bench: Bench, tmp_path: Path) -> None:
    bench.site.files["/x.csv"] = CSV
    pinned = bench.get(source(licence="CC0"))
    assert bench.content(pinned) == {"x.csv": CSV} and pinned.licence == "CC0" and pinned.size == len(CSV)
    stored = json.loads((bench.repo / FILE).read_text())["sources"]["set"]
    assert stored["files"] == {"x.csv": hashlib.sha256(CSV).hexdigest()}
    assert stored["fetched"] == {"https://data.github.com/x.csv": hashlib.sha256(CSV).hexdigest()}
    (tmp_path / "other").mkdir()
    assert bench.fetcher(tmp_path / "other", offline=True).missing([source()]) == []
    assert read_lock(tmp_path / "other").sources["set"] == pinned and bench.site.paths["/x.csv"] == 1
    file = bench.store.path(stored["files"]["x.csv"])
    assert file.stat().st_mode & 0o777 == 0o444


def test_a_later_fetch_must_match_the_pin(bench: Bench) -> None:
    bench.site.files["/x.csv"] = CSV
    pinned = bench.get(source())
    bench.store.remove(pinned.files.values())
    bench.site.files["/x.csv"] = CSV + b"5,6\n"
    with pytest.raises(BlockedError, match=r"other data than `data.lock.json` pins: x.csv"):
        bench.get(source())
    assert read_lock(bench.repo).sources["set"] == pinned
    bench.site.files["/x.csv"] = CSV
    assert bench.get(source()) == pinned


def test_a_damaged_pin_is_an_error_and_pins_nothing_anew(bench: Bench) -> None:
    bench.site.files["/x.csv"] = CSV
    for damage in ('{"sources": {"set": {"files": {}}}}', "{", '{"sources": {"set": {"kind": "url", "identifier": "",'
                   f' "files": {{"../x": "{"a" * 64}"}}}}}}}}'):  # fmt: skip
        (bench.repo / FILE).write_text(damage)
        with pytest.raises(UsageError, match="damaged"):
            bench.get(source())


def test_offline_without_it_in_the_cache_is_said_and_no_request_is_sent(bench: Bench) -> None:
    with pytest.raises(PrerequisiteError, match="offline, and `set`") as caught:
        bench.get(source(), offline=True)
    assert "--data-dir" in caught.value.hint and bench.site.asked == []


def test_a_host_that_the_policy_does_not_know_is_refused(bench: Bench) -> None:
    with pytest.raises(BlockedError, match=r"permits no data from `example\.org`"):
        bench.get(source(identifier="https://example.org/x.csv"))
    assert bench.site.asked == []


def test_more_than_the_budget_is_refused_before_it_is_fetched_and_where_nobody_said_the_size(bench: Bench) -> None:
    hub(bench.site, "o/d", {"x.csv": CSV * 1000})
    with pytest.raises(LimitReached, match="data_budget"):
        bench.get(source("huggingface", "o/d"), data_budget=1e-6)
    assert not any("/resolve/" in path for path, _ in bench.site.asked)
    bench.site.files["/x.csv"] = CSV * 1000
    with pytest.raises(LimitReached, match="data_budget"):
        bench.get(source(), data_budget=1e-6)


@pytest.mark.parametrize(
    "files", [{"x.csv": CSV}, {"w.safetensors": (2).to_bytes(8, "little") + b"{}", "a/x.csv": CSV}]
)
@pytest.mark.parametrize("what", ["data", "model"])
def test_a_repository_of_the_hub_comes_at_one_commit_with_its_licence(
    bench: Bench, files: dict[str, bytes], what: str
) -> None:
    hub(bench.site, "o/d", files, kind="datasets" if what == "data" else "models")
    pinned = bench.get(source("huggingface", "o/d", what=what))
    assert bench.content(pinned) == dict(sorted(files.items()))
    assert pinned.revision == "c" * 40 and pinned.licence == "mit"
    assert not any("authorization" in {name.lower() for name in row} for row in bench.site.headers)


def test_the_pinned_commit_of_the_hub_is_fetched_again_although_there_is_a_newer_one(bench: Bench) -> None:
    hub(bench.site, "o/d", {"x.csv": CSV})
    pinned = bench.get(source("huggingface", "o/d"))
    bench.store.remove(pinned.files.values())
    newer = json.loads(bench.site.files["/api/datasets/o/d"]) | {"sha": "d" * 40}
    bench.site.add_json("/api/datasets/o/d", newer)
    assert bench.get(source("huggingface", "o/d")) == pinned


def test_only_the_files_that_the_plan_names_come_from_the_hub(bench: Bench) -> None:
    hub(bench.site, "o/d", {"train-0.csv": CSV, "train-1.csv": CSV, "model.pkl": b"x", "README.md": b"r"})
    pinned = bench.get(source("huggingface", "o/d", files=["train-*.csv"]))
    assert set(pinned.files) == {"train-0.csv", "train-1.csv"}
    with pytest.raises(PrerequisiteError, match="nothing that is asked for"):
        bench.get(source("huggingface", "o/d", files=["*.parquet"]))
    with pytest.raises(BlockedError, match="can hold a program"):
        bench.get(source("huggingface", "o/d", files=["model.pkl"]))


@pytest.mark.parametrize("large", [False, True])
def test_a_file_of_the_hub_with_another_hash_is_an_error_and_nothing_is_kept(bench: Bench, large: bool) -> None:
    data = b"\0" * 16 if large else CSV
    hub(bench.site, "o/d", {"x.bin" if large else "x.csv": data})
    for path in list(bench.site.files):
        if "/resolve/" in path:
            bench.site.files[path] = data[::-1][:-1] + b"?"
    with pytest.raises(BlockedError, match="another hash than its source says"):
        bench.get(source("huggingface", "o/d"))
    assert read_lock(bench.repo).sources == {} and not list((bench.store.root / "objects").rglob("*.*"))


def test_a_redirect_of_the_hub_to_its_own_store_is_followed_and_another_is_not(bench: Bench) -> None:
    hub(bench.site, "o/d", {"x.csv": CSV})
    path = f"/datasets/o/d/resolve/{'c' * 40}/x.csv"
    bench.site.redirects[path] = "https://evil.example.com/x.csv"
    with pytest.raises(BlockedError, match="another host"):
        bench.get(source("huggingface", "o/d"))
    bench.site.redirects[path] = "https://cdn-lfs.hf.co/x.csv"
    bench.site.files["/x.csv"] = CSV
    fetcher = bench.fetcher()
    fetcher.wire.mirrors = {**fetcher.wire.mirrors, "cdn-lfs.hf.co": bench.site.base}
    assert set(fetcher.fetch(fetcher.offer(source("huggingface", "o/d"))).files) == {"x.csv"}


def test_an_absent_or_private_repository_of_the_hub_is_said(bench: Bench) -> None:
    with pytest.raises(PrerequisiteError, match="the hub does not give"):
        bench.get(source("huggingface", "o/absent"))


def test_a_hub_that_cannot_be_reached_is_said(bench: Bench) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        mirror = f"huggingface.co=http://127.0.0.1:{taken.getsockname()[1]}"
        fetcher = Fetcher(bench.repo, Settings(data_mirrors=[mirror]), ["huggingface.co"], store=bench.store)
        with pytest.raises(PrerequisiteError, match="the hub does not give"):
            fetcher.offer(source("huggingface", "o/d"))


def test_the_hubs_own_variable_names_a_mirror_and_a_setting_counts_more() -> None:
    assert hub_mirror(Settings(), "http://127.0.0.1:1").data_mirrors == ["huggingface.co=http://127.0.0.1:1"]
    mine = Settings(data_mirrors=["huggingface.co=https://mirror.test"])
    assert hub_mirror(mine, "http://127.0.0.1:1") == mine and hub_mirror(Settings(), "") == Settings()


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def zenodo(site: Site) -> None:
    site.files["/api/records/7/files/x.csv/content"] = CSV
    row = {"key": "x.csv", "size": len(CSV), "checksum": f"md5:{md5(CSV)}"}
    site.add_json("/api/records/7", {"files": [row], "metadata": {"license": {"id": "cc-by-4.0"}}})


def figshare(site: Site) -> None:
    site.files["/files/9"] = CSV
    row = {
        "name": "x.csv",
        "size": len(CSV),
        "computed_md5": md5(CSV),
        "download_url": "https://ndownloader.figshare.com/files/9",
    }
    site.add_json("/v2/articles/5/versions/2", {"files": [row], "license": {"name": "CC0"}})


def dataverse(site: Site) -> None:
    site.files["/api/access/datafile/3"] = CSV
    row = {"directoryLabel": "a", "dataFile": {"id": 3, "filename": "x.csv", "filesize": len(CSV), "md5": md5(CSV)}}
    site.add_json(
        "/api/datasets/:persistentId/", {"data": {"latestVersion": {"files": [row], "license": {"name": "CC0 1.0"}}}}
    )


def handle(site: Site) -> None:
    dataverse(site)
    target = {"type": "URL", "data": {"value": "https://dataverse.harvard.edu/dataset.xhtml?persistentId=doi:10.1/X"}}
    site.add_json("/api/handles/10.1234/X", {"values": [target]})


def openml(site: Site) -> None:
    site.files["/data/v1/download/1/iris.arff"] = b"@data\n1\n"
    told = {
        "url": "https://www.openml.org/data/v1/download/1/iris.arff",
        "md5_checksum": md5(b"@data\n1\n"),
        "licence": "Public",
    }
    site.add_json("/api/v1/json/data/61", {"data_set_description": told})


def uci(site: Site) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as out:
        out.writestr("iris.data", CSV)
        out.writestr("old.pkl", b"x")
    site.files["/static/public/53/iris.zip"] = file.getvalue()


def libsvm(site: Site) -> None:
    site.files["/~cjlin/libsvmtools/datasets/binary/a9a"] = b"+1 1:1\n"


KINDS: list[tuple[Any, str, str, set[str], str]] = [
    (zenodo, "zenodo", "10.5281/zenodo.7", {"x.csv"}, "cc-by-4.0"),
    (zenodo, "doi", "10.5281/zenodo.7", {"x.csv"}, "cc-by-4.0"),
    (figshare, "figshare", "10.6084/m9.figshare.5.v2", {"x.csv"}, "CC0"),
    (dataverse, "dataverse", "10.7910/DVN/X", {"a/x.csv"}, "CC0 1.0"),
    (handle, "doi", "10.1234/X", {"a/x.csv"}, "CC0 1.0"),
    (openml, "openml", "61", {"set.arff"}, "Public"),
    (uci, "uci", "53/iris", {"iris.data"}, ""),
    (libsvm, "libsvm", "binary/a9a", {"a9a"}, ""),
]


@pytest.mark.parametrize(
    ("serve", "kind", "name", "files", "licence"), KINDS, ids=[f"{k}-{n}" for _, k, n, _, _ in KINDS]
)
def test_each_archive_is_asked_in_its_own_way(
    bench: Bench, serve: Any, kind: str, name: str, files: set[str], licence: str
) -> None:
    serve(bench.site)
    pinned = bench.get(source(kind, name))
    assert set(pinned.files) == files and pinned.licence == licence
    assert ("old.pkl" in pinned.left_out) is (kind == "uci")


@pytest.mark.parametrize("serve", [zenodo, figshare, dataverse, openml])
def test_a_checksum_of_an_archive_that_does_not_hold_is_an_error(bench: Bench, serve: Any) -> None:
    kind, name = next((kind, name) for each, kind, name, *_ in KINDS if each is serve)
    serve(bench.site)
    for path, data in bench.site.files.items():
        if data in (CSV, b"@data\n1\n"):
            bench.site.files[path] = data[:-1] + b" "
    with pytest.raises(BlockedError, match="another hash"):
        bench.get(source(kind, name))


def test_a_listing_that_names_a_file_outside_is_refused(bench: Bench) -> None:
    zenodo(bench.site)
    told = json.loads(bench.site.files["/api/records/7"])
    told["files"][0]["key"] = "../../x.csv"
    bench.site.add_json("/api/records/7", told)
    with pytest.raises(BlockedError, match="may not be written"):
        bench.get(source("zenodo", "7"))


@pytest.mark.parametrize("answer", [[], {}, {"files": 3}, {"files": [{"key": "x"}]}, "text"])
def test_an_archive_that_answers_otherwise_is_no_crash(bench: Bench, answer: object) -> None:
    bench.site.add_json("/api/records/7", answer)
    with pytest.raises(PrerequisiteError, match="does not answer as its kind does"):
        bench.get(source("zenodo", "7"))


def test_mnist_comes_from_where_torchvision_has_it_and_another_content_is_refused(bench: Bench) -> None:
    bench.site.files["/mnist/train-images-idx3-ubyte.gz"] = gzip.compress(b"\0\0\x08\x01" + bytes(8))
    with pytest.raises(BlockedError, match="another hash"):
        bench.get(source("torchvision", "MNIST"))


def test_two_fetchers_at_once_transfer_it_once(bench: Bench, tmp_path: Path) -> None:
    bench.site.files["/x.csv"], bench.site.held = CSV * 1000, threading.Event()
    (tmp_path / "other").mkdir()
    done: list[Pinned | AgentsysError] = []

    def run(fetcher: Fetcher) -> None:
        done.append(fetcher.fetch(fetcher.offer(source())))

    threads = [threading.Thread(target=run, args=(bench.fetcher(repo),)) for repo in (bench.repo, tmp_path / "other")]
    for thread in threads:
        thread.start()
    assert bench.site.begun.wait(20)
    bench.site.held.set()
    for thread in threads:
        thread.join(20)
    assert len(done) == 2 and done[0] == done[1] and bench.site.paths["/x.csv"] == 1


PROGRAM = """
import sys
from pathlib import Path
from agentsys.core.artifacts import DataSource
from agentsys.core.settings import Settings
from agentsys.verify.data.fetch import Fetcher
from agentsys.verify.data.store import Store
base, root = sys.argv[1], Path(sys.argv[2])
settings = Settings(data_mirrors=[f"data.github.com={base}"])
fetcher = Fetcher(root / "repo", settings, ["github.com"], store=Store(root / "cache"))
fetcher.fetch(fetcher.offer(DataSource(name="set", kind="url", identifier="https://data.github.com/x.csv")))
"""


def test_a_fetch_that_is_killed_in_the_middle_leaves_nothing_half_and_goes_on(bench: Bench, tmp_path: Path) -> None:
    data = CSV * 100_000
    bench.site.files["/x.csv"], bench.site.held = data, threading.Event()
    child = subprocess.Popen([sys.executable, "-c", PROGRAM, bench.site.base, str(tmp_path)])
    try:
        assert bench.site.begun.wait(60)
        part = next(iter((bench.store.root / "incoming").rglob("part")), None)
        while part is None or not part.stat().st_size:  # the server has sent it; the child writes it
            assert child.poll() is None
            part = next(iter((bench.store.root / "incoming").rglob("part")), None)
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    assert read_lock(bench.repo).sources == {}
    bench.site.held.set()
    bench.site.held = None
    pinned = bench.get(source())
    assert bench.content(pinned) == {"x.csv": data}
    asked = [wanted for path, wanted in bench.site.asked if path == "/x.csv"]
    assert asked[0] == "" and asked[-1].startswith("bytes=")


def test_what_was_changed_in_the_cache_is_found_and_fetched_again(bench: Bench) -> None:
    bench.site.files["/x.csv"] = CSV
    pinned = bench.get(source())
    file = bench.store.path(pinned.files["x.csv"])
    file.chmod(0o644)
    file.write_bytes(b"other")
    assert bench.store.damaged(pinned.files.values()) == [pinned.files["x.csv"]]
    assert bench.content(bench.get(source())) == {"x.csv": CSV} and bench.site.paths["/x.csv"] == 2
