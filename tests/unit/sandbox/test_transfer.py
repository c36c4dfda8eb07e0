"""What a helper's end means: a fault of the tree that it worked on, or of the machine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from agentsys_sandbox import transfer
from agentsys_sandbox.box import Helper, HelperEnd
from agentsys_sandbox.errors import SandboxError, SandboxGone

WORK: dict[str, Callable[[Helper], Awaitable[Any]]] = {
    "clear": transfer.clear,
    "remove": lambda helper: transfer.remove(helper, ["a"]),
    "write": lambda helper: transfer.write_files(helper, {"a": b"1"}),
    "link": lambda helper: transfer.link(helper, "/work/data", "/work/repo"),
}


def ending(code: int | None) -> Helper:
    async def helper(argv: Sequence[str], **more: object) -> HelperEnd:
        return HelperEnd(code, b"", b"no room" if code else b"", 0)

    return helper


@pytest.mark.parametrize("name", WORK)
async def test_a_helper_that_did_not_end_in_time_is_a_fault_of_the_machine_and_is_retried(name: str) -> None:
    with pytest.raises(SandboxGone, match="did not end in time"):
        await WORK[name](ending(None))


@pytest.mark.parametrize("name", WORK)
async def test_a_helper_that_fails_on_the_tree_says_why_and_is_not_retried(name: str) -> None:
    with pytest.raises(SandboxError, match="no room") as raised:
        await WORK[name](ending(1))
    assert not isinstance(raised.value, SandboxGone)
