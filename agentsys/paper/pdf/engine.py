"""PDFium, loaded in the child only. The package has no type information, so its objects are `Any` here, once."""

from __future__ import annotations

from importlib import import_module
from typing import Any

pdfium: Any = import_module("pypdfium2")
raw: Any = import_module("pypdfium2.raw")

Document = Any
Page = Any
TextPage = Any
