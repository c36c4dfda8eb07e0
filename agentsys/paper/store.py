"""A paper in a folder: `paper.json` for programs, `paper.md` for people and models."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from agentsys.core.errors import PaperError
from agentsys.core.files import write_atomic
from agentsys.paper.model import Paper
from agentsys.paper.pictures import add_pictures
from agentsys.paper.render import to_markdown


def write_paper(paper: Paper, folder: Path, source: Path | None = None, *, password: str = "") -> Paper:
    """Write `paper.json`, `paper.md` and pictures of the figures into `folder`, each atomically.

    Args:
        source: the file the paper was read from, for the pictures; without it `source.pdf` in `folder` is used, if it
            is that file.
        password: opens it, if it is encrypted.

    Returns: the paper as it was written, with the names of its pictures.
    """
    paper = add_pictures(paper, source or folder / "source.pdf", folder, password)
    write_atomic(folder / "paper.json", paper.model_dump_json(indent=1) + "\n")
    write_atomic(folder / "paper.md", to_markdown(paper))
    return paper


def load_paper(folder: Path) -> Paper:
    """Read `paper.json` of a folder.

    Raises: PaperError if there is none or it is not one.
    """
    file = folder / "paper.json"
    try:
        return Paper.model_validate_json(file.read_bytes())
    except FileNotFoundError as error:
        raise PaperError(f"there is no `{file}`", "read the paper first with `agentsys read`") from error
    except ValidationError as error:
        raise PaperError(f"`{file}` does not hold a paper", "remove it and read the paper again") from error
