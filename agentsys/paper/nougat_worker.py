"""Read page images with nougat-ocr, in a process of its own and maybe in another environment.

    python nougat_worker.py MODEL_FOLDER

Imports nothing of agentsys. Reads JSON lines `{"page": n, "png": base64}` on standard input and answers each with one
line. The libraries would ask for newer versions and fetch word lists: every address is refused to them.
"""

from __future__ import annotations

import base64
import io
import json
import os
import sys
from importlib import import_module
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_OFFLINE"] = "1"
os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"


def main() -> None:
    """Load the model, then answer pages until standard input ends."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # libraries print to stdout

    def emit(**record: Any) -> None:
        out.write(json.dumps(record) + "\n")
        out.flush()

    sys.addaudithook(_no_network)
    try:
        model: Any = import_module("nougat").NougatModel.from_pretrained(sys.argv[1]).eval()
        model.to("cuda" if import_module("torch").cuda.is_available() else "cpu")
    except ImportError as error:
        emit(kind="error", reason="missing", name=str(error.name or error))
        return
    except (AttributeError, KeyError, OSError, RuntimeError, TypeError, ValueError) as error:
        # Libraries that do not fit each other, or weights that do not fit the model: the text says which.
        emit(kind="error", reason="broken", name=f"{type(error).__name__}: {error}"[:500])
        return
    for line in sys.stdin:
        job = json.loads(line)
        emit(kind="page", page=job["page"], **_read(model, base64.b64decode(job["png"])))
    emit(kind="end")


def _read(model: Any, png: bytes) -> dict[str, Any]:
    """Return Markdown of one page, and whether it was cut off."""
    from PIL import Image

    image = Image.open(io.BytesIO(png)).convert("RGB")
    result: dict[str, Any] = model.inference(image=image, early_stopping=True)
    text = (result.get("predictions") or [""])[0]
    loops = (result.get("repeats") or [None])[0] is not None
    # An end token is forced at the limit: its presence proves nothing.
    full = int(result["sequences"].shape[-1]) >= int(model.config.max_length)
    return {"markdown": text, "cut": loops or full or "[MISSING_PAGE" in text}


def _no_network(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse name look-ups and connections to addresses (an audit hook; sockets of this machine have no address)."""
    if event == "socket.getaddrinfo" or (event == "socket.connect" and isinstance(arguments[1], tuple)):
        raise OSError("the network is not used")


if __name__ == "__main__":
    main()
