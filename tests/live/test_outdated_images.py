"""Base images of earlier recipes go when that is asked for; the current one and others' stay."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator

import pytest

from agentsys_sandbox.docker.engine import Engine
from agentsys_sandbox.docker.leftovers import outdated_images
from agentsys_sandbox.image import engine_image as images
from agentsys_sandbox.image import rootfs
from live.sandboxes import need

pytestmark = pytest.mark.docker
OLDER = rootfs.name().rpartition("-")[0] + "-000000000000"


@pytest.fixture
def engine() -> Iterator[Engine]:
    need("docker")
    found = Engine.connect()
    yield found
    for tag in (OLDER, "py2.7.18-000000000000"):
        found.remove_image(f"{images.REPOSITORY}:{tag}")
    found.close()


def tiny() -> Iterator[bytes]:
    """A root file system with one empty file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("nothing"))
    return iter([buffer.getvalue()])


def test_an_image_of_an_earlier_recipe_is_found_and_removed_and_no_other(engine: Engine) -> None:
    current = images.ensure_image(engine)
    foreign = f"{images.REPOSITORY}:py2.7.18-000000000000"
    for tag in (OLDER, foreign.partition(":")[2]):
        engine.import_image(tiny(), images.REPOSITORY, tag, ("LABEL agentsys.base=host",))
    found = {each.name: each for each in outdated_images(engine)}
    older = f"{images.REPOSITORY}:{OLDER}"
    assert older in found
    assert current not in found
    assert foreign not in found
    found[older].remove()
    assert not engine.has_image(older)
    assert engine.has_image(current)
    assert engine.has_image(foreign)
