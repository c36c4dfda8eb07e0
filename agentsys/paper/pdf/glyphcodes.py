"""What the child and the parent agree on about single characters."""

from __future__ import annotations

BARE = 0xE000
"""Start of the private area in which bare codes of TeX's mathematical fonts are handed over."""
