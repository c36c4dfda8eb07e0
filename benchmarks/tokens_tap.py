"""Run one build's `agentsys` on a recording and write down every request that it makes; `benchmarks.tokens` reads them.

    PYTHONPATH=BUILD:... python benchmarks/tokens_tap.py FILE SCALE ARGUMENTS OF agentsys...

It knows one thing of the build: `agentsys.llm.replay` has a class with `fetch(key, prompt, hashes, feedback)`; an older
build will do. Answers take time, 2 s and 10 ms a token times SCALE, and at most eight are under way: what a provider's
cache can hold depends on what was answered before. Where several files are asked about at once, and the recording has
an answer for each, the answer is made of these.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

CONCURRENCY = 8
CALL_SECONDS = 2.0
TOKEN_SECONDS = 0.010


def tap(file: Path, scale: float) -> None:
    """Have every replayed call written to a file, one JSON object when it is asked and one when it is answered."""
    from agentsys.llm import replay

    source: Any = next(item for item in vars(replay).values() if "fetch" in getattr(item, "__dict__", {}))
    fetch = source.fetch
    slots = asyncio.Semaphore(CONCURRENCY)

    def write(**row: object) -> None:
        with file.open("a", encoding="utf-8") as out:
            out.write(json.dumps(row) + "\n")

    async def answer(self: object, key: Any, *asked: Any) -> Any:
        if key.role != "analyzer" or "+" not in key.item:
            return await fetch(self, key, *asked)
        single = {path: await fetch(self, replace(key, item=path), *asked) for path in key.item.split("+")}
        text = "\n\n".join(f"=== {path} ===\n\n{recording.text}" for path, recording in single.items())
        return next(iter(single.values())).model_copy(update={"item": key.item, "text": text})

    async def tapped(self: object, key: Any, prompt: Any, hashes: dict[str, str], feedback: Any) -> Any:
        async with slots:
            parts = [[part.name, part.text] for part in (*prompt.prefix, *prompt.body)]
            write(asked=str(key), role=key.role, item=key.item, parts=parts, feedback=list(feedback))
            recording = await answer(self, key, prompt, hashes, feedback)
            await asyncio.sleep(scale * (CALL_SECONDS + TOKEN_SECONDS * (len(recording.text) // 4)))
            write(answered=str(key), chars=len(recording.text))
        return recording

    source.fetch = tapped


def main() -> None:
    """Take the first two arguments, and hand the others to agentsys."""
    file, scale, *arguments = sys.argv[1:]
    tap(Path(file), float(scale))
    from agentsys.cli.app import main as agentsys

    sys.argv = ["agentsys", *arguments]
    agentsys()


if __name__ == "__main__":
    main()
