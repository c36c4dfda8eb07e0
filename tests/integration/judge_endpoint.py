"""A judge on loopback over real HTTP. Its answers are scripted: simple rules on the words of the prompt, no model."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SAYS_SO = "scripted answer of the tests"
Answer = Callable[[str, int], str]
"""From the whole prompt, and the number of the request, to the answer's text."""


@dataclass
class Judge:
    url: str
    prompts: list[str] = field(default_factory=list[str])
    models: list[str] = field(default_factory=list[str])


@contextmanager
def judging(answer: Answer) -> Iterator[Judge]:
    """Serve chat completions until the block ends."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            prompt = "\n".join(text_of(turn["content"]) for turn in body["messages"])
            with lock:
                judge.prompts.append(prompt)
                judge.models.append(body["model"])
                number = len(judge.prompts)
            choice = {"index": 0, "finish_reason": "stop", "message": {"content": answer(prompt, number)}}
            usage = {"prompt_tokens": 10, "completion_tokens": 5}
            data = json.dumps({"model": "scripted", "choices": [choice], "usage": usage}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    judge = Judge(f"http://127.0.0.1:{server.server_port}/v1")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield judge
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def text_of(content: object) -> str:
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)  # type: ignore[attr-defined]


def marker_of(prompt: str) -> str:
    found = re.search(r"`marker` is exactly `(J[0-9a-f]{12})`", prompt)
    assert found is not None
    return found[1]


def reader(prompt: str, number: int) -> str:
    """Answer by what the prompt shows: a judge that reads the code, as far as the four repositories differ."""
    marker = marker_of(prompt)
    asked = re.search(r"the requirement\n(.*?)\n" + marker, prompt, re.DOTALL)
    if asked is not None:
        return json.dumps({"marker": marker, "reality": SAYS_SO, "score": int(met(asked[1], prompt))})
    gaps, score = [], 5
    if "raise NotImplementedError\n" in prompt:
        gaps, score = [{"file": "means/core.py", "function": "averages", "severity": "high", "text": SAYS_SO}], 2
    elif "found.append(n)" in prompt:
        gaps, score = [{"file": "means/core.py", "function": None, "severity": "high", "text": SAYS_SO}], 3
    return json.dumps({"marker": marker, "critiques": gaps, "score": score})


def met(requirement: str, prompt: str) -> bool:
    words = {
        "Eq. (1)": "found.append(m)",
        "Eq. (2)": "(1 - b**t)",
        "entry point": "def main",
        "to its end": "[ok, exit code 0]",
        "last value": '"last": 9',
    }
    return next(word in prompt for name, word in words.items() if name in requirement)
