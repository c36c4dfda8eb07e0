"""PDFium, loaded in the child only. The package has no type information, so its objects are `Any` here, once."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from importlib import import_module
from typing import Any

pdfium: Any = import_module("pypdfium2")
raw: Any = import_module("pypdfium2.raw")

Document = Any
Page = Any
TextPage = Any


def quick(name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
    """Return a function of PDFium that takes and gives plain addresses.

    The package's own functions check and convert each pointer: that costs more than the calls which are made for every
    character. Handles and pointers are given as `c_void_p`.
    """
    prototype: Any = ctypes.PYFUNCTYPE(result, *arguments)
    return prototype(address_of(getattr(raw, name)))


def address_of(handle: Any) -> int:
    """Return a handle as the plain address that `quick` functions take."""
    return ctypes.cast(handle, ctypes.c_void_p).value or 0


MAX_SIDE = 14_400.0
"""Longest page side in points: the limit of the PDF specification (ISO 32000-1, annex C)."""
