"""Frames come apart wherever the wire cuts them, and captures keep head and tail with a true count."""

from __future__ import annotations

import random

import pytest

from agentsys_sandbox.capture import Capture, HeadTail, flood_limit
from agentsys_sandbox.docker.frames import FrameError, FrameReader


def frame(kind: int, payload: bytes) -> bytes:
    return bytes([kind, 0, 0, 0]) + len(payload).to_bytes(4, "big") + payload


def joined(pieces: list[tuple[str, bytes]]) -> dict[str, bytes]:
    return {name: b"".join(data for each, data in pieces if each == name) for name in ("stdout", "stderr")}


@pytest.mark.parametrize("seed", range(5))
def test_any_fragmentation_gives_the_same_streams(seed: int) -> None:
    chance = random.Random(seed)
    wire, expected = b"", {"stdout": b"", "stderr": b""}
    for _ in range(60):
        kind, payload = chance.choice((1, 2)), chance.randbytes(chance.choice((0, 1, 7, 8, 9, 300)))
        wire += frame(kind, payload)
        expected["stdout" if kind == 1 else "stderr"] += payload
    reader, pieces = FrameReader(), []
    while wire:
        cut = chance.randint(1, 40)
        pieces += reader.feed(wire[:cut])
        wire = wire[cut:]
    assert joined(pieces) == expected


@pytest.mark.parametrize("header", [b"\x00\x00\x00\x00", b"\x03\x00\x00\x00", b"\x01\x01\x00\x00", b"OCI "])
def test_what_is_no_frame_is_an_error(header: bytes) -> None:
    with pytest.raises(FrameError):
        list(FrameReader().feed(header + b"\x00\x00\x00\x01x"))


@pytest.mark.parametrize("limit", [0, 1, 3, 4, 10, 100, 1000])
@pytest.mark.parametrize("size", [0, 1, 9, 10, 11, 99, 100, 101, 5000])
def test_head_and_tail_are_kept_and_the_rest_is_counted(limit: int, size: int) -> None:
    data = bytes(i % 251 for i in range(size))
    chance = random.Random(size)
    kept, at = HeadTail(limit), 0
    while at < size:
        step = chance.randint(1, 40)
        kept.add(data[at : at + step])
        at += step
    assert kept.total == size
    if size <= limit:
        assert (kept.cut, kept.value()) == (0, data)
    else:
        head, _, tail = kept.value().partition(f"\n[... {size - limit} bytes left out ...]\n".encode())
        assert kept.cut == size - limit
        assert len(head) + len(tail) == limit
        assert data.startswith(head)
        assert data.endswith(tail)


def test_memory_stays_bounded_while_a_stream_is_endless() -> None:
    kept = HeadTail(1000)
    for _ in range(1000):
        kept.add(b"x" * 4096)
    assert sum(map(len, kept._tail)) < 10_000
    assert kept.cut == 1000 * 4096 - 1000


def test_a_capture_counts_both_streams_and_notices_a_flood() -> None:
    capture = Capture(limit=4, flood=20)
    capture.add("stdout", b"x" * 10)
    capture.add("stderr", b"y" * 10)
    assert (capture.cut, capture.flooded) == (12, False)
    capture.add("stderr", b"y")
    assert capture.flooded


def test_a_flood_lies_far_above_what_is_kept() -> None:
    assert flood_limit(1000) >= 1 << 20
    assert flood_limit(1 << 30) > 1 << 30
