"""Papers by number or address: fetched once, politely, from a server on this machine, and never believed."""

from __future__ import annotations

import gzip
import io
import socket
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import requests

from agentsys.core.errors import PaperError
from agentsys.paper import ReadOptions, read_paper
from agentsys.paper.remote.library import Library, local_paper
from agentsys.paper.remote.names import Remote, remote_paper
from agentsys.paper.remote.transfer import Transfer
from unit.paper.conftest import LINES, pdf_bytes, prose, text_at

TEX = r"""\documentclass{article}\begin{document}\title{A Method}\section{Introduction}
We study $x$.\begin{equation} y = \frac{a}{b} \end{equation}\end{document}"""
PDF = pdf_bytes([text_at(100, 740, "1   Introduction", 12, "F2") + prose(100, 720, LINES)])


def tar_of(files: dict[str, str], link: str = "") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
        if link:
            member = tarfile.TarInfo("secret.tex")
            member.type, member.linkname = tarfile.SYMTYPE, link
            archive.addfile(member)
    return buffer.getvalue()


@dataclass
class Site:
    """A server of this machine: what it answers by path, and what it was asked."""

    answers: dict[str, tuple[int, dict[str, str], bytes]] = field(
        default_factory=dict[str, tuple[int, dict[str, str], bytes]]
    )
    asked: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Path and user agent of each request."""
    address: str = ""

    def put(self, path: str, body: bytes, status: int = 200, **headers: str) -> None:
        self.answers[path] = (status, headers, body)

    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]


@pytest.fixture
def site() -> Iterator[Site]:
    found = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append((self.path, self.headers.get("User-Agent", "")))
            status, headers, body = found.answers.get(self.path, (404, {}, b""))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


Open = Callable[..., Library]


@pytest.fixture
def library(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Return a function that opens the cache of this test, with no pauses."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)

    def opened(**parts: object) -> Library:
        values: dict[str, object] = {"transfer": Transfer(pause=0.0), **parts}
        folder = tmp_path / "papers"
        return Library(folder, arxiv=site.address, openreview=site.address, **values)  # type: ignore[arg-type]

    return opened


def serve(site: Site, source: bytes, version: int = 2) -> None:
    site.put("/abs/2402.01868", b"<a>arXiv:2402.01868v1</a> <a>2402.01868v%d</a>" % version)
    site.put(f"/pdf/2402.01868v{version}", PDF)
    site.put(f"/e-print/2402.01868v{version}", source)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2402.01868", Remote("arxiv", "2402.01868")),
        ("arXiv:2402.01868v3", Remote("arxiv", "2402.01868", 3)),
        ("hep-ph/9412269v1", Remote("arxiv", "hep-ph/9412269", 1)),
        ("https://arxiv.org/abs/2402.01868v2", Remote("arxiv", "2402.01868", 2)),
        ("https://www.arxiv.org/pdf/2402.01868v2.pdf", Remote("arxiv", "2402.01868", 2)),
        ("https://arxiv.org/html/2402.01868", Remote("arxiv", "2402.01868")),
        ("https://openreview.net/forum?id=abc_DEF-12", Remote("openreview", "abc_DEF-12")),
        ("https://example.org/a/paper.pdf", Remote("address", "https://example.org/a/paper.pdf")),
        ("paper.pdf", None),
        ("2402/01868.pdf", None),
    ],
)
def test_numbers_and_addresses_are_told_from_paths(text: str, wanted: Remote | None) -> None:
    assert remote_paper(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "http://example.org/paper.pdf",
        "ftp://example.org/paper.pdf",
        "file:///etc/passwd",
        "https://user:word@example.org/paper.pdf",
        "https://arxiv.org/list/cs.LG/recent",
        "https://openreview.net/forum",
    ],
)
def test_other_addresses_are_refused(text: str) -> None:
    with pytest.raises(PaperError):
        remote_paper(text)


def test_a_number_brings_pdf_and_source_of_the_newest_version(site: Site, library: Open) -> None:
    serve(site, tar_of({"main.tex": TEX}))
    found = library().get(Remote("arxiv", "2402.01868"))
    assert site.paths() == ["/abs/2402.01868", "/pdf/2402.01868v2", "/e-print/2402.01868v2"]
    assert all(agent.startswith("agentsys") for _, agent in site.asked)
    assert found.source is not None
    paper = read_paper(found.paper, ReadOptions(latex_source=found.source))
    assert "latex" in paper.parser and paper.pages


def test_what_was_fetched_is_not_asked_for_again(site: Site, library: Open) -> None:
    serve(site, tar_of({"main.tex": TEX}))
    paper = Remote("arxiv", "2402.01868", 2)
    first = library().get(paper)
    asked = len(site.asked)
    assert library().get(paper) == first
    assert library(offline=True).get(Remote("arxiv", "2402.01868")) == first
    assert len(site.asked) == asked


def test_a_cached_file_that_was_changed_is_fetched_again(site: Site, library: Open) -> None:
    serve(site, tar_of({"main.tex": TEX}))
    paper = Remote("arxiv", "2402.01868", 2)
    file = library().get(paper).paper
    file.write_bytes(PDF + b"changed")
    assert library().get(paper).paper.read_bytes() == PDF
    assert site.paths().count("/pdf/2402.01868v2") == 2


def test_offline_fetches_nothing_and_says_so(site: Site, library: Open) -> None:
    serve(site, tar_of({"main.tex": TEX}))
    for paper in (Remote("arxiv", "2402.01868"), Remote("arxiv", "2402.01868", 1), Remote("openreview", "abcdef")):
        with pytest.raises(PaperError, match="offline") as failure:
            library(offline=True).get(paper)
        assert failure.value.exit_code == 3
    assert not site.asked


def _closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_dead_network_is_a_clear_error() -> None:
    with pytest.raises(PaperError, match=r"127\.0\.0\.1 cannot be reached") as failure:
        Transfer(pause=0.0).get(f"http://127.0.0.1:{_closed_port()}/pdf/1")
    assert failure.value.exit_code == 3


def test_requests_to_one_site_are_three_seconds_apart(site: Site, library: Open) -> None:
    serve(site, tar_of({"main.tex": TEX}))
    now = [0.0]
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        now[0] += seconds

    library(transfer=Transfer(sleep=sleep, clock=lambda: now[0])).get(Remote("arxiv", "2402.01868"))
    assert waits == [3.0, 3.0]


@pytest.mark.parametrize(
    "source",
    [
        b"\x1f\x8bnot gzip at all",
        tar_of({"../../outside.tex": TEX}),
        tar_of({"/tmp/outside.tex": TEX}),
        tar_of({}, link="/etc/passwd"),
        gzip.compress(b"\x00" * 2_000_000),
    ],
    ids=["damaged", "leads out", "absolute", "link", "zeros"],
)
def test_a_hostile_source_is_left_out_and_the_pdf_stays(site: Site, library: Open, source: bytes) -> None:
    serve(site, source)
    found = library().get(Remote("arxiv", "2402.01868", 2))
    assert found.source is None and found.notes
    assert read_paper(found.paper).sections


def test_a_paper_without_source_is_read_from_its_pdf(site: Site, library: Open) -> None:
    serve(site, PDF)
    found = library().get(Remote("arxiv", "2402.01868", 2))
    assert found.source is None and "no LaTeX source" in found.notes[0]


def test_a_number_that_does_not_exist_is_named(library: Open) -> None:
    with pytest.raises(PaperError, match="no paper") as failure:
        library().get(Remote("arxiv", "2402.99999"))
    assert failure.value.exit_code == 2


def test_a_web_page_in_place_of_the_pdf_is_refused(site: Site, library: Open) -> None:
    site.put("/pdf/2402.01868v1", b"<html>are you a robot?</html>")
    with pytest.raises(PaperError, match="no PDF"):
        library().get(Remote("arxiv", "2402.01868", 1))


def test_a_site_that_asks_to_wait_is_not_asked_again(site: Site, library: Open) -> None:
    site.put("/pdf/2402.01868v1", b"", 429, Retry_After="60")
    with pytest.raises(PaperError, match="asks to wait") as failure:
        library().get(Remote("arxiv", "2402.01868", 1))
    assert "60 seconds" in failure.value.hint and len(site.asked) == 1


def test_more_bytes_than_allowed_are_not_taken(site: Site) -> None:
    site.put("/big", b"%PDF-" + b"0" * 300_000)
    with pytest.raises(PaperError, match="more than"):
        Transfer(max_bytes=100_000, pause=0.0).get(f"{site.address}/big")


@pytest.mark.parametrize("target", ["file:///etc/passwd", "http://example.org/x", "ftp://example.org/x"])
def test_a_redirect_to_something_else_is_refused(site: Site, target: str) -> None:
    site.put("/there", b"", 302, Location=target)
    with pytest.raises(PaperError, match="not fetched"):
        Transfer(pause=0.0).get(f"{site.address}/there")


def test_a_redirect_without_end_is_given_up(site: Site) -> None:
    site.put("/there", b"", 302, Location="/there")
    with pytest.raises(PaperError, match="too often"):
        Transfer(pause=0.0).get(f"{site.address}/there")


def test_the_net_may_not_redirect_into_this_machine() -> None:
    with pytest.raises(PaperError, match="private"):
        Transfer()._next("https://example.org/x", "https://127.0.0.1/x")  # pyright: ignore[reportPrivateUsage]


def test_no_password_of_the_user_is_sent(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password word\n")
    monkeypatch.setenv("NETRC", str(netrc))
    sent: list[str] = []
    site.put("/x", PDF)
    send = requests.Session.send

    def seen(self: requests.Session, request: requests.PreparedRequest, **parts: object) -> requests.Response:
        sent.append(str(request.headers.get("Authorization")))
        return send(self, request, **parts)  # type: ignore[arg-type]

    monkeypatch.setattr(requests.Session, "send", seen)
    assert Transfer(pause=0.0).get(f"{site.address}/x") == PDF
    assert sent == ["None"]


def test_openreview_and_plain_addresses_bring_their_pdf(site: Site, library: Open) -> None:
    site.put("/pdf?id=abc_DEF", PDF)
    site.put("/files/paper.pdf", PDF)
    assert library().get(Remote("openreview", "abc_DEF")).paper.read_bytes() == PDF
    assert library().get(Remote("address", f"{site.address}/files/paper.pdf")).paper.read_bytes() == PDF


def test_a_file_of_that_name_is_the_paper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("2402.01868").write_bytes(PDF)
    assert local_paper("2402.01868", offline=True).paper == Path("2402.01868")
