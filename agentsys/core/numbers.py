"""Numbers as people read them."""

from __future__ import annotations


def count(value: float) -> str:
    """Return `950`, `1.2k`, `41k`, `1.3M`."""
    if value < 1000:
        return f"{value:.0f}"
    for unit, size in (("k", 1e3), ("M", 1e6)):
        scaled = value / size
        if scaled < 9.95:
            return f"{scaled:.1f}{unit}"
        if scaled < 999.5:
            return f"{scaled:.0f}{unit}"
    return f"{value / 1e9:.1f}G"


def plural(number: int, noun: str) -> str:
    """Return `1 repair`, `2 repairs`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def dollars(value: float | None) -> str:
    """Return US dollars; `?` where a price is unknown."""
    if value is None:
        return "$?"
    return f"${value:.4f}" if 0 < value < 0.01 else f"${value:.2f}"


def clock(value: float) -> str:
    """Return a duration in seconds as `0:48` or `1:02:03`."""
    minutes, rest = divmod(int(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def seconds(value: float) -> str:
    """Return a duration in seconds as `4 s`, `2 min 05 s` or `1 h 02 min`."""
    if value < 60:
        return f"{value:.0f} s" if value >= 10 or value == int(value) else f"{value:.1f} s"
    minutes, rest = divmod(int(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
