"""The base image of the Docker backend: from the host's own files, or from a registry when that is asked for."""

from __future__ import annotations

import sys
import tarfile
import tempfile
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import BinaryIO, Protocol

from agentsys_sandbox.errors import ImageMissing, SandboxError
from agentsys_sandbox.image import hostfiles, rootfs
from agentsys_sandbox.spec import Source

REPOSITORY = "agentsys-sandbox"
LABEL = "agentsys.base"
"""Every base image carries it."""
RECIPE = "sandbox-cpu.Dockerfile"
_CHANGES = (
    f"USER {rootfs.UID}:{rootfs.UID}",
    "WORKDIR /work",
    "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "ENV LANG=C.UTF-8",
    'CMD ["bash"]',
    "LABEL agentsys.base=host",
)


class ImageStore(Protocol):
    """What of an engine is needed to have the image; `agentsys_sandbox.docker.engine.Engine` gives it. Calls block."""

    def has_image(self, reference: str) -> bool: ...
    def import_image(self, tar: Iterable[bytes], repository: str, tag: str, changes: Iterable[str]) -> None: ...


class ImageBuilder(ImageStore, Protocol):
    """What of an engine is needed to build from a registry's base: pull and build by a Dockerfile."""

    def build_image(self, context: BinaryIO, dockerfile: str, tag: str) -> None: ...


def ensure_image(engine: ImageStore, image: str = "") -> str:
    """Return the reference of the base image; build agentsys' own from host files if it is missing. Blocks.

    No registry is ever asked: an image that somebody built from one is taken where it is there.

    Args:
        engine: the engine that shall have it.
        image: another image, which must be there already; empty takes agentsys' own.

    Raises:
        ImageMissing: `image` is not there, or the host lacks what its own needs.
    """
    if image:
        if engine.has_image(image):
            return image
        raise ImageMissing(
            f"the image `{image}` is not there",
            f"`docker pull {image}`, or leave `image` empty to take agentsys' own",
        )
    for reference in (_registry_reference(), _host_reference()):
        if engine.has_image(reference):
            return reference
    return _build_from_host(engine)


def build(engine: ImageBuilder, source: Source = "auto") -> str:
    """Build the base image anew and return its reference. Blocks.

    Args:
        engine: the engine that shall have it.
        source: `registry` builds on the official python:3.x-slim image, `host` on this machine's files;
            `auto` tries the registry first.

    Raises:
        ImageMissing: the source asked for cannot give it.
    """
    if source == "host":
        return _build_from_host(engine)
    try:
        return _build_from_registry(engine)
    except SandboxError as error:
        if source == "registry":
            raise ImageMissing(
                f"the base image cannot be built from a registry: {error.message}",
                "`agentsys sandbox build --source host` makes it from this machine's files",
            ) from error
        return _build_from_host(engine)


def is_outdated(references: Iterable[str]) -> bool:
    """True for an image of an earlier recipe: of this Python with another hash, or replaced and without a name.

    Images of other Pythons are current for whoever runs those, and images under other names are not agentsys'.

    Args:
        references: all names of an image that carries the label `agentsys.base`.
    """
    current = (_registry_reference(), _host_reference())
    own = tuple(reference.rpartition("-")[0] + "-" for reference in current)
    return all(each.startswith(own) and each not in current for each in references)


def recipe() -> str:
    """Text of the Dockerfile, from the installed package or from the checkout."""
    installed = resources.files("agentsys_sandbox").joinpath("_images", RECIPE)
    if installed.is_file():
        return installed.read_text(encoding="utf-8")
    checkout = Path(__file__).resolve().parents[3] / "docker" / RECIPE
    if checkout.is_file():
        return checkout.read_text(encoding="utf-8")
    raise ImageMissing(f"the recipe `{RECIPE}` is not installed", "reinstall agentsys")


def _host_reference() -> str:
    return f"{REPOSITORY}:{rootfs.name()}"


def _registry_reference() -> str:
    return f"{REPOSITORY}:registry-{rootfs.name()}"


def _build_from_host(engine: ImageStore) -> str:
    root = rootfs.ensure_rootfs()
    reference = _host_reference()
    tag = reference.partition(":")[2]
    # A file, not a pipe: the engine may refuse half-way, and then no thread must be left writing.
    with tempfile.TemporaryFile(dir=root.parent) as stream:
        rootfs.write_tar(root, stream)
        stream.seek(0)
        engine.import_image(iter(lambda: stream.read(1 << 20), b""), REPOSITORY, tag, _CHANGES)
    return reference


def _build_from_registry(engine: ImageBuilder) -> str:
    reference = _registry_reference()
    with tempfile.TemporaryFile() as context:
        _write_context(context)
        context.seek(0)
        engine.build_image(context, RECIPE, reference)
    return reference


def _write_context(out: BinaryIO) -> None:
    tools = hostfiles.tools()
    major, minor = sys.version_info[:2]
    text = recipe().replace("ARG PYTHON=3.11", f"ARG PYTHON={major}.{minor}")
    with (
        tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive,
        tempfile.TemporaryDirectory() as made,
    ):
        dockerfile = Path(made, RECIPE)
        dockerfile.write_text(text, encoding="utf-8")
        for source, name in (
            (dockerfile, RECIPE),
            (tools.node, "tools/node"),
            (tools.pyright, "tools/pyright"),
        ):
            archive.add(source, name, filter=_owned_by_root)


def _owned_by_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o755 if member.isdir() or member.mode & 0o111 else 0o644
    return member
