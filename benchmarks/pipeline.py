"""Writing a repository: wall time, prompt tokens, overhead and memory beside PaperCoder's order of calls.

The same recorded work (the example's answers) comes from one local endpoint with fixed latencies: 2 s a call plus 10 ms
a token of output, times `--scale`. Two programs ask it:

- agentsys, the real program as a process of its own, up to the last file (`--stop-after code`);
- PaperCoder's order of calls: 4 planning turns in one growing chat, then one analysis and one file after another, with
  paper and plan in each prompt and all earlier code in each coding prompt (their published scripts do this). Where the
  recorded plan has three answers, the design stands for both their architecture and their logic design.

Tokens are characters divided by four on both sides; *no cache held* counts those of them that are not in the longest
beginning in common with a request that was answered before (`benchmarks.tokens`). What the endpoint itself reports are
words and signs: agentsys would hold a count that hangs on characters for that of a prompt that was cut. Overhead is
measured with an endpoint that answers at once.

    python -m benchmarks.pipeline [--scale 0.1] [--recording DIR] [--paper FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from agentsys.llm.store import Store
from agentsys.llm.types import CallKey
from agentsys.paper import read_paper, to_markdown
from benchmarks.tokens import CHARS_PER_TOKEN, cached

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "dc-svrg"
CALL_SECONDS = 2.0
TOKEN_SECONDS = 0.010
TASKS = (
    (re.compile(r"step 1 of 3 — the requirements"), "planner", "requirements"),
    (re.compile(r"step 1 of 3 — experiments"), "planner", "evaluation"),
    (re.compile(r"# Your task: planner — settle what is open"), "planner", "settle"),
    (re.compile(r"# Your task: planner — settings that"), "planner", "settings"),
    (re.compile(r"# Your task: reviewer — does the plan hold"), "reviewer", "contribution"),
    (re.compile(r"planner, step 2"), "planner", "design"),
    (re.compile(r"planner, step 3"), "planner", "config"),
    (re.compile(r"# Your task: analyzer — what (.+) must do"), "analyzer", ""),
    (re.compile(r"# Your task: coder — write `([^`]+)`"), "coder", ""),
    (re.compile(r"# asked by the other order: (\w+) (\S+)"), "", ""),
    (re.compile(r'its "marker" is "'), "auditor", "purpose-1"),
)


@dataclass
class Counter:
    """What the endpoint saw."""

    calls: int = 0
    prompt_chars: int = 0
    uncached: int = 0
    seconds: float = 0.0
    answered: list[str] = field(default_factory=list[str])
    lock: threading.Lock = field(default_factory=threading.Lock)


class Endpoint(BaseHTTPRequestHandler):
    """Answers from the recording after the fixed latency."""

    protocol_version = "HTTP/1.1"
    store: Store
    counter: Counter
    scale: float

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        text = "\n".join(message["content"] for message in request["messages"])
        answer = self._answer(text)
        wait = self.scale * (CALL_SECONDS + TOKEN_SECONDS * (len(answer) // 4))
        time.sleep(wait)  # the latency under test
        with self.counter.lock:
            self.counter.calls += 1
            self.counter.prompt_chars += len(text)
            self.counter.uncached += len(text) // CHARS_PER_TOKEN - cached(text, self.counter.answered)
            self.counter.answered.append(text)
            self.counter.seconds += wait
        usage = {
            "prompt_tokens": len(re.findall(r"\w+|[^\w\s]", text)),
            "completion_tokens": len(answer) // 4,
            "total_tokens": 0,
        }
        choice = {"index": 0, "message": {"role": "assistant", "content": answer}, "finish_reason": "stop"}
        body = json.dumps(
            {"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice], "usage": usage}
        )
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def _answer(self, text: str) -> str:
        tail = text[-12_000:] if "# asked by" in text[-200:] else text
        for pattern, role, item in TASKS:
            found = pattern.search(tail)
            if found is None:
                continue
            groups = found.groups()
            names = re.findall(r"`([^`]+)`", found[0]) if role == "analyzer" else []
            if len(names) > 1:
                return "\n\n".join(f"=== {name} ===\n\n{recorded(self.store, role, name)}" for name in names)
            return recorded(self.store, role or groups[0], item or (names or groups)[-1])
        raise SystemExit("a request that is not in the recording")


def recorded(store: Store, role: str, items: str) -> str:
    """Return the recorded answer of a call; of several calls, joined by `+`, all their answers."""
    found = [store.read(CallKey(role, item)) for item in items.split("+")]
    if None in found:
        raise SystemExit(f"the recording has no `{role}/{items}`")
    return "\n\n".join(item.text for item in found if item is not None)


class Server(ThreadingHTTPServer):
    """Takes all connections of a fan-out at once: a refused one would be tried again only after a second."""

    request_queue_size = 128
    daemon_threads = True


def serve(store: Store, scale: float) -> tuple[ThreadingHTTPServer, Counter, str]:
    """Start an endpoint in a thread; return it, its counter and its base URL."""
    counter = Counter()
    handler = type("Handler", (Endpoint,), {"store": store, "counter": counter, "scale": scale})
    server = Server(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, counter, f"http://127.0.0.1:{server.server_address[1]}/v1"


def run_agentsys(url: str, paper: Path, concurrency: int) -> tuple[float, float]:
    """Run the program up to the last file; return its wall time and its own time a call, in seconds."""
    with tempfile.TemporaryDirectory() as runs:
        environ = {**os.environ, "OPENAI_BASE_URL": url, "OPENAI_API_KEY": "none"}
        argv = [
            sys.executable,
            "-m",
            "agentsys",
            "implement",
            str(paper),
            "--model",
            "recorded",
            "--stop-after",
            "code",
        ]
        argv += ["--display", "quiet", "--set", f"concurrency={concurrency}", "--set", "claims=off", "--runs-dir", runs]
        started = time.monotonic()
        done = subprocess.run(argv, env=environ, capture_output=True, text=True, check=False)
        seconds = time.monotonic() - started
        if "asked to stop after the code" not in done.stdout + done.stderr:
            raise SystemExit(f"agentsys did not come to the end of the code:\n{done.stdout}\n{done.stderr}")
        events = [json.loads(line) for line in next(Path(runs).glob("*/events.jsonl")).read_text().splitlines()]
    return seconds, _overhead(events)


def _overhead(events: list[dict[str, Any]]) -> float:
    """Return the seconds a call from the planner's first answer to the last file; loading the SDK comes before that."""
    answers = [e["ts"] for e in events if e["type"] == "llm.call" and e.get("stage") in ("plan", "analyse", "code")]
    ended = [e["ts"] for e in events if e["type"] == "stage.finished" and e.get("stage") == "code"][-1]
    seconds = (datetime.fromisoformat(ended) - datetime.fromisoformat(answers[0])).total_seconds()
    return seconds / (len(answers) - 1)


def run_sequence(url: str, store: Store, paper: str, files: list[str]) -> float:
    """Ask as PaperCoder does, one call after the other; return the wall time in seconds."""
    started = time.monotonic()
    chat = [paper]
    for item in ("requirements+evaluation", "design", "design", "config"):
        _ask(url, [*chat, f"# asked by the other order: planner {item}"])
        chat.append(recorded(store, "planner", item))
    analysed = [name for name in files if store.read(CallKey("analyzer", name))]
    for name in analysed:
        _ask(url, [*chat, f"# asked by the other order: analyzer {name}"])
    code: list[str] = []
    for name in files:
        analysis = recorded(store, "analyzer", name) if name in analysed else ""
        _ask(url, [*chat, *code, analysis, f"# asked by the other order: coder {name}"])
        code.append(recorded(store, "coder", name))
    return time.monotonic() - started


def _ask(url: str, parts: list[str]) -> None:
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "\n\n".join(parts)}]}).encode()
    request = urllib.request.Request(f"{url}/chat/completions", body, {"content-type": "application/json"})
    with urllib.request.urlopen(request) as answer:  # loopback only
        answer.read()


def main() -> int:
    """Measure and print; the bars are printed beside the values."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=0.1, help="factor on the latencies; 1 takes about ten minutes")
    parser.add_argument("--recording", type=Path, default=EXAMPLE / "recording")
    parser.add_argument("--paper", type=Path, default=EXAMPLE / "paper.pdf")
    parser.add_argument("--concurrency", type=int, default=16)
    options = parser.parse_args()
    store = Store(options.recording)
    answered = [item.item for item in store.all() if item.role == "coder"]
    files = [name for name in answered if not name.startswith(("round-", "plan-", "claims/"))]
    markdown = to_markdown(read_paper(options.paper))

    at_once, _, url = serve(store, 0.0)
    _, bare = run_agentsys(url, options.paper, options.concurrency)
    at_once.shutdown()
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    ours_server, ours, url = serve(store, options.scale)
    ours_seconds, _ = run_agentsys(url, options.paper, options.concurrency)
    ours_server.shutdown()
    other_server, other, url = serve(store, options.scale)
    other_seconds = run_sequence(url, store, markdown, files)
    other_server.shutdown()

    print(f"{len(files)} files; latencies x {options.scale:g}; concurrency {options.concurrency}")
    print(f"{'':24}{'agentsys':>12}{'sequence':>12}{'ratio':>8}   bar")
    _row("wall time, s", ours_seconds, other_seconds, other_seconds / ours_seconds, ">= 3")
    _row(
        "prompt tokens", ours.prompt_chars / 4, other.prompt_chars / 4, ours.prompt_chars / other.prompt_chars, "<= 0.4"
    )
    _row("that no cache held", ours.uncached, other.uncached, ours.uncached / other.uncached, "")
    _row("calls", ours.calls, other.calls, ours.calls / other.calls, "")
    print(f"{'overhead a call, ms':24}{1000 * bare:12.1f}{'':20}   < 50")
    print(f"{'peak memory, MB':24}{memory:12.1f}{'':20}   < 350")
    return 0


def _row(name: str, ours: float, other: float, ratio: float, bar: str) -> None:
    print(f"{name:24}{ours:12.1f}{other:12.1f}{ratio:8.2f}   {bar}")


if __name__ == "__main__":
    sys.exit(main())
