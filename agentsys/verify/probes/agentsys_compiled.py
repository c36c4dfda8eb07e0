"""Runs inside the sandbox, beside the code under test: what is executed there that no type checker has seen.

Text that is compiled at run time, modules from other places than the repository and the environment, and files of the
repository that are not what was handed in when they are imported.
"""

# ruff: noqa: PTH100, PTH118, PTH120 -- an audit hook has to be quick

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

EVENTS = frozenset({"exec", "compile", "marshal.loads", "code.__new__"})
# What these run, somebody else gave them; the standard library's other uses of `exec` are its own.
PASSING = ("code.py", "codeop.py", "runpy.py", "timeit.py", "trace.py", "bdb.py", "pdb.py", "profile.py", "cProfile.py",
           "importlib/__init__.py", "importlib/util.py", "importlib/_abc.py")  # fmt: skip


class Watch:
    """An audit hook (PEP 578), which nothing can take away again.

    Args:
        repo: folder of the repository.
        checked: SHA-256 by absolute path of each file that the type checker saw.
        write: is given a line for each place in the repository that executes something else.
    """

    def __init__(self, repo: str, checked: dict[str, str], write: Callable[[dict[str, object]], None]) -> None:
        self.repo = repo.rstrip("/") + "/"
        self.checked = checked
        self.write = write
        library = os.path.dirname(os.__file__)
        self.passing = {os.path.join(library, name) for name in PASSING}
        roots = {os.path.abspath(root) + "/" for root in (sys.prefix, sys.base_prefix, library, *sys.path)}
        self.roots = tuple(root for root in roots if not root.startswith(self.repo))
        self.told: set[tuple[str, int]] = set()
        wanted, look = EVENTS, self.on_event

        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            # Each traced call raises an event of its own: a plain function passes it in half a method's time.
            if event in wanted:
                look(event, arguments)

        sys.addaudithook(hook)

    def on_event(self, event: str, arguments: tuple[Any, ...]) -> None:
        frame, direct = self.agent(sys._getframe(2))  # pyright: ignore[reportPrivateUsage]
        if event == "compile" and self.changed(*arguments[:2]):
            self.tell(os.fsdecode(arguments[1]), 1, "changed")
        elif frame is None or not self.own(frame.f_code.co_filename):
            return
        elif direct:
            self.tell(frame.f_code.co_filename, frame.f_lineno, event)
        elif event == "exec" and isinstance(arguments[0], CodeType) and not self.known(arguments[0].co_filename):
            self.tell(frame.f_code.co_filename, frame.f_lineno, arguments[0].co_filename)

    def agent(self, frame: FrameType | None) -> tuple[FrameType | None, bool]:
        """Return who wanted it, and whether without one of PASSING between."""
        direct = True
        while frame is not None:
            name = frame.f_code.co_filename
            if not name.startswith("<frozen ") and name not in self.passing:
                return frame, direct
            direct = False
            frame = frame.f_back
        return None, direct

    def own(self, name: str) -> bool:
        return not name.startswith("<") and os.path.abspath(name).startswith(self.repo)

    def known(self, name: str) -> bool:
        path = os.path.abspath(name)
        return name.startswith("<frozen ") or path in self.checked or path.startswith(self.roots)

    def changed(self, source: object, name: object) -> bool:
        """True for a file of the repository that is compiled with another content than the type checker saw."""
        if not isinstance(name, str | bytes) or not isinstance(source, str | bytes):
            return False
        expected = self.checked.get(os.path.abspath(os.fsdecode(name)))
        data = source.encode() if isinstance(source, str) else source
        return expected is not None and hashlib.sha256(data).hexdigest() != expected

    def tell(self, name: str, line: int, what: str) -> None:
        path = Path(os.path.abspath(name))
        if (str(path), line) not in self.told:
            self.told.add((str(path), line))
            self.write({"unseen": str(path).removeprefix(self.repo), "line": line, "what": what})
