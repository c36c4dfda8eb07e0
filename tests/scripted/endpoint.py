"""The scripted answers served as an OpenAI-compatible endpoint on loopback, for any number of papers at once."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from scripted.answers import CORE_RIGHT, as_json, first_version
from scripted.paper import PAPER

TASKS = (
    (re.compile(r"step 1 of 3 — the requirements"), "planner", "requirements"),
    (re.compile(r"step 1 of 3 — experiments"), "planner", "evaluation"),
    (re.compile(r"planner, step 2"), "planner", "design"),
    (re.compile(r"planner, step 3"), "planner", "config"),
    (re.compile(r"planner — settle what is open"), "planner", "settle"),
    (re.compile(r"planner — settings that the paper"), "planner", "settings"),
    (re.compile(r"planner — what else must be read"), "planner", "reading"),
    (re.compile(r"reviewer — does the plan hold"), "reviewer", "contribution"),
    (re.compile(r"# Your task: analyzer — what (.+) must do"), "analyzer", ""),
    (re.compile(r"# Your task: coder — write `([^`]+)`"), "coder", ""),
    (re.compile(r"# Your task: reviewer — compare `([^`]+)`"), "reviewer", ""),
)
MARKER = re.compile(r'its "marker" is "([^"]+)"')
TITLE = re.compile(r"(?:Running Means|This is paper) (\w+)")
CONTRIBUTION = as_json(
    {
        "contributions": [
            {
                "words": "We describe a running mean whose early values are not biased towards zero",
                "requirements": ["R1", "R2"],
                "missing": "",
            }
        ]
    }
)
PRICE = "scripted=10/0"
"""US dollars a million tokens: with the tokens below an answer costs one cent."""
TOKENS = 1000


def papers(folder: Path, *names: str) -> list[Path]:
    """Write the scripted paper once for each name, which is a word in its title."""
    folder.mkdir(parents=True, exist_ok=True)
    files: list[Path] = []
    for name in names:
        text = PAPER.replace("Running Means\n", f"Running Means {name}\n")
        file = folder / f"{name}.md"
        file.write_text(text.replace("## 1 Introduction\n", f"## 1 Introduction\n\nThis is paper {name}."), "utf-8")
        files.append(file)
    return files


def purpose(marker: str) -> str:
    """The judge's answer on any of these papers."""
    fields = {"verdict": "allow", "category": "none", "aim": "a bias-free running mean", "real_target": False}
    return json.dumps({"marker": marker, **fields, "uplift": "none", "quote": "", "reason": "ordinary statistics"})


@dataclass
class Seen:
    """What the endpoint saw."""

    asked: Counter[str] = field(default_factory=Counter)
    """Answers by paper's title and question."""
    at: list[float] = field(default_factory=list)
    """`time.monotonic()` at which each request came."""
    refused: int = 0
    unknown: list[str] = field(default_factory=list)
    seconds: float = 0.0
    """Latencies, together."""
    most: int = 0
    """Requests under way at the same time, at most."""
    active: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def twice(self) -> list[str]:
        """Questions that were answered more than once."""
        return [name for name, number in self.asked.items() if number > 1]


class Server(ThreadingHTTPServer):
    """Answers each request in a thread of its own."""

    daemon_threads = True


class Endpoint:
    """Serves while it is entered.

    Args:
        wait: seconds of each answer.
        limited: given the number of a request, the seconds that a limit asks to wait, or None for an answer.
        fails: given question and title, a status of a refusal, or None.
        listener: socket that listens already, elsewhere than on loopback.
    """

    def __init__(
        self,
        answers: Mapping[tuple[str, str], str] | None = None,
        *,
        wait: float = 0.0,
        limited: Callable[[int], float | None] = lambda _: None,
        fails: Callable[[str, str], int | None] = lambda *_: None,
        listener: socket.socket | None = None,
    ) -> None:
        self.answers = {**first_version(CORE_RIGHT), ("reviewer", "contribution"): CONTRIBUTION, **(answers or {})}
        self.wait, self.limited, self.fails = wait, limited, fails
        self.seen = Seen()
        self.gate = threading.Event()
        """Cleared, answers wait until it is set again."""
        self.gate.set()
        self._listener = listener or socket.create_server(("127.0.0.1", 0), backlog=256)
        self._server: Server | None = None

    def __enter__(self) -> Endpoint:
        handler = type("Handler", (_Handler,), {"endpoint": self})
        self._server = Server(("", 0), handler, bind_and_activate=False)
        self._server.socket.close()
        self._server.socket = self._listener
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server is not None
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        host, port = self._listener.getsockname()[:2]
        return f"http://{host}:{port}/v1"

    def answer(self, text: str) -> tuple[str, str] | None:
        """Return the name of a question and its answer."""
        if marker := MARKER.search(text):
            return "auditor/purpose", purpose(marker[1])
        for pattern, role, item in TASKS:
            if found := pattern.search(text):
                names = [item] if item else re.findall(r"`([^`]+)`", found[0])
                known = [self.answers.get((role, name)) for name in names]
                if None in known:
                    return None
                whole = "\n".join(f"=== {name} ===\n{text}" for name, text in zip(names, known, strict=True))
                return f"{role}/{'+'.join(names)}", known[0] or "" if len(names) == 1 else whole
        return None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    endpoint: Endpoint

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        endpoint = self.endpoint
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        text = "\n".join(message["content"] for message in request["messages"])
        with endpoint.seen.lock:
            endpoint.seen.at.append(time.monotonic())
            number = len(endpoint.seen.at)
            endpoint.seen.active += 1
            endpoint.seen.most = max(endpoint.seen.most, endpoint.seen.active)
        try:
            self._respond(text, number)
        finally:
            with endpoint.seen.lock:
                endpoint.seen.active -= 1

    def _respond(self, text: str, number: int) -> None:
        endpoint, seen = self.endpoint, self.endpoint.seen
        if (wait := endpoint.limited(number)) is not None:
            seen.refused += 1
            self._send(429, {"error": {"message": "rate limit"}}, {"retry-after": f"{wait:g}"})
            return
        found = endpoint.answer(text)
        title = named[1] if (named := TITLE.search(text)) is not None else ""
        name = found[0] if found is not None else text[-200:]
        if found is None or (status := endpoint.fails(name, title)) is not None:
            seen.unknown += [name] if found is None else []
            self._send(400 if found is None else status or 400, {"error": {"message": "this is refused"}})
            return
        time.sleep(endpoint.wait)  # the latency under test
        endpoint.gate.wait(60)
        with seen.lock:
            seen.asked[f"{title} {name}"] += 1
            seen.seconds += endpoint.wait
        usage = {"prompt_tokens": max(TOKENS, len(text) // 4), "completion_tokens": len(found[1]) // 4}
        choice = {"index": 0, "message": {"role": "assistant", "content": found[1]}, "finish_reason": "stop"}
        head = {"id": "x", "object": "chat.completion", "created": 0, "model": "scripted"}
        self._send(200, {**head, "choices": [choice], "usage": usage})

    def _send(self, status: int, value: dict[str, Any], headers: Mapping[str, str] | None = None) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        for name, text in {"content-type": "application/json", **(headers or {})}.items():
            self.send_header(name, text)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
