"""Where the files of a source lie: addresses, sizes, checksums and licence, as the source itself says.

Interfaces: https://developers.zenodo.org, https://docs.figshare.com,
https://guides.dataverse.org/en/latest/api/native-api.html, https://www.openml.org/apis, the Handle system's
https://doi.org/api/handles, and the hub's through its own library.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import quote, urlsplit

from agentsys.core.artifacts import DataKind, DataSource
from agentsys.core.errors import BlockedError, PrerequisiteError, UnsafePath
from agentsys.core.paths import clean_name
from agentsys.plan.data import matching
from agentsys.verify.data.wire import Remote, Wire

if TYPE_CHECKING:
    from huggingface_hub.hf_api import RepoSibling

T = TypeVar("T")
HUB = "huggingface.co"
_FIGSHARE = ("figshare.com", "amazonaws.com")
_DATAVERSES = {"10.7910": "dataverse.harvard.edu", "10.34894": "dataverse.nl", "10.5683": "borealisdata.ca"}
"""Prefix of a DOI -> the Dataverse that has it."""
_IDX = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
_FASHION = "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion"
_DIGITS = (
    "f68b3c2dcbeaaa9fbdd348bbdeb94873", "d53e105ee54ea40749a09fcbcd1e9432",
    "9fb629c4189551a2d022fa330f9573f3", "ec29112dd5afa0611ce80d1b7f02629c",
)  # fmt: skip
_CLOTHES = (
    "8d4fb7e6c68d591d4c3dfef9ec88bf0d", "25c81989df183df01b3e8a0aad5dffbe",
    "bef4ecab320f06d8554ea6380940ec79", "bb300cfdad3c16e7a12a480ee83cd310",
)  # fmt: skip


def _ubytes(base: str, sums: Iterable[str]) -> tuple[Remote, ...]:
    names = [f"{name}-ubyte.gz" for name in _IDX]
    return tuple(Remote(f"{base}/{name}", name, 0, f"md5:{md5}") for name, md5 in zip(names, sums, strict=True))


def _cifar(name: str, md5: str) -> tuple[Remote, ...]:
    """The binary version: the one that torchvision itself fetches consists of pickles."""
    return (Remote(f"https://www.cs.toronto.edu/~kriz/{name}", name, 0, f"md5:{md5}"),)


_TORCHVISION: Mapping[str, tuple[Remote, ...]] = {
    "MNIST": _ubytes("https://ossci-datasets.s3.amazonaws.com/mnist", _DIGITS),
    "FashionMNIST": _ubytes(_FASHION, _CLOTHES),
    "CIFAR10": _cifar("cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530"),
    "CIFAR100": _cifar("cifar-100-binary.tar.gz", "03b5dce01913d631647c71ecec9e9cb8"),
}
Fields = dict[str, Any]


@dataclass(frozen=True)
class Located:
    """The files of a source, before any of them is fetched."""

    files: tuple[Remote, ...]
    licence: str = ""
    revision: str = ""
    """Commit of a hub's repository."""

    @property
    def size(self) -> int:
        """Bytes of the files whose size is known."""
        return sum(file.size for file in self.files)


def locate(source: DataSource, wire: Wire, revision: str = "") -> Located:
    """Ask a source for its files.

    Args:
        revision: the commit that was pinned before; empty takes the planned one.

    Raises: BlockedError, PrerequisiteError; what the source answers in another form counts as nothing there.
    """
    try:
        found = _RESOLVERS[source.kind](source, wire, revision)
        for file in found.files:
            clean_name(file.name)
    except UnsafePath as error:
        raise BlockedError(f"{source.label} names a file that may not be written: {error.message}") from error
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise PrerequisiteError(
            f"{source.label} does not answer as its kind does: {error}", "see docs/data.md"
        ) from error
    if not found.files:
        asked = ", ".join(source.files) or "no file at all"
        raise PrerequisiteError(f"{source.label} has nothing that is asked for: {asked}", "correct `files` in the plan")
    return Located(found.files, found.licence or source.licence, found.revision)


def _url(source: DataSource, _wire: Wire, _revision: str) -> Located:
    address = source.identifier
    if address.endswith("/"):
        return Located(tuple(Remote(address + quote(name), name) for name in source.files))
    return Located((Remote(address, _last(address)),))


def _libsvm(source: DataSource, _wire: Wire, _revision: str) -> Located:
    base = "https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets"
    group, _, name = source.identifier.partition("/")
    return Located(tuple(Remote(f"{base}/{group}/{quote(file)}", file) for file in source.files or (name,)))


def _uci(source: DataSource, _wire: Wire, _revision: str) -> Located:
    number, _, name = source.identifier.partition("/")
    address = f"https://archive.ics.uci.edu/static/public/{number}/{quote(name)}.zip"
    return Located((Remote(address, f"{name}.zip"),))


def _torchvision(source: DataSource, _wire: Wire, _revision: str) -> Located:
    return Located(_TORCHVISION[source.identifier])


def _openml(source: DataSource, wire: Wire, _revision: str) -> Located:
    told = _fields(
        _fields(wire.json(f"https://www.openml.org/api/v1/json/data/{source.identifier}"))["data_set_description"]
    )
    address, md5 = str(told["url"]), str(told.get("md5_checksum") or "")
    checksum = f"md5:{md5}" if re.fullmatch(r"[0-9a-f]{32}", md5) else ""
    file = Remote(address, f"{source.name}.arff", 0, checksum, ("openml.org",))
    return Located((file,), str(told.get("licence") or ""))


def _zenodo(source: DataSource, wire: Wire, _revision: str) -> Located:
    base = f"https://zenodo.org/api/records/{source.identifier.rpartition('.')[2]}"
    told = _fields(wire.json(base))
    files = (
        Remote(f"{base}/files/{quote(name)}/content", name, int(row["size"]), _sum(str(row["checksum"])))
        for name, row in _asked(source, {str(row["key"]): row for row in _rows(told["files"])})
    )
    licence = _fields(_fields(told.get("metadata") or {}).get("license") or {})
    return Located(tuple(files), str(licence.get("id", "")))


def _figshare(source: DataSource, wire: Wire, _revision: str) -> Located:
    number, _, version = source.identifier.removeprefix("10.6084/m9.figshare.").partition(".v")
    tail = f"/versions/{version}" if version else ""
    told = _fields(wire.json(f"https://api.figshare.com/v2/articles/{number}{tail}"))
    files = (
        Remote(str(row["download_url"]), name, int(row["size"]), _sum(f"md5:{row['computed_md5']}"), _FIGSHARE)
        for name, row in _asked(source, {str(row["name"]): row for row in _rows(told["files"])})
    )
    return Located(tuple(files), str(_fields(told.get("license") or {}).get("name", "")))


def _dataverse(source: DataSource, wire: Wire, _revision: str) -> Located:
    return _of_dataverse(source, wire, _DATAVERSES.get(source.identifier.partition("/")[0], "dataverse.harvard.edu"))


def _of_dataverse(source: DataSource, wire: Wire, host: str) -> Located:
    base = f"https://{host}/api"
    told = _fields(wire.json(f"{base}/datasets/:persistentId/?persistentId=doi:{source.identifier}"))
    newest = _fields(_fields(told["data"])["latestVersion"])
    rows: dict[str, Fields] = {}
    for row in _rows(newest["files"]):
        file = _fields(row["dataFile"])
        rows[f"{row.get('directoryLabel') or ''}/{file['filename']}".lstrip("/")] = file
    files = (_dataverse_file(base, name, row) for name, row in _asked(source, rows))
    licence = newest.get("license")
    words = cast("Fields", licence).get("name", "") if isinstance(licence, dict) else licence or ""
    return Located(tuple(files), str(words))


def _dataverse_file(base: str, name: str, row: Fields) -> Remote:
    # Of a table the archive keeps a form of its own; the name is that form's, and so are size and checksum.
    told = _fields(row.get("checksum") or {"type": "MD5", "value": row.get("md5", "")})
    checksum = _sum(f"{str(told['type']).lower().replace('-', '')}:{told['value']}")
    return Remote(f"{base}/access/datafile/{int(row['id'])}", name, int(row["filesize"]), checksum, ("amazonaws.com",))


def _doi(source: DataSource, wire: Wire, revision: str) -> Located:
    """Follow a DOI by its handle, not by a redirect: where it leads is looked at before anything is asked there."""
    prefix, _, rest = source.identifier.partition("/")
    if prefix == "10.5281" and rest.startswith("zenodo."):
        return _zenodo(source, wire, revision)
    if rest.startswith("m9.figshare."):
        return _figshare(source, wire, revision)
    if prefix in _DATAVERSES:
        return _dataverse(source, wire, revision)
    told = _fields(wire.json(f"https://doi.org/api/handles/{quote(source.identifier)}?type=URL"))
    target = next(str(_fields(row["data"])["value"]) for row in _rows(told["values"]) if row.get("type") == "URL")
    return _of_dataverse(source, wire, urlsplit(target).hostname or "")


def _huggingface(source: DataSource, wire: Wire, revision: str) -> Located:
    base = wire.mapped(f"https://{HUB}/").rstrip("/")
    commit, licence, rows = _hub_listing(source, base, revision or source.revision)
    folder = "" if source.what == "model" else "datasets/"
    where = f"https://{HUB}/{folder}{source.identifier}/resolve/{quote(commit, safe='')}"
    files = (
        Remote(f"{where}/{quote(name)}", name, size, checksum, (HUB, "hf.co"))
        for name, (size, checksum) in _asked(source, rows)
        if source.files or not name.startswith(".git")
    )
    return Located(tuple(files), licence, commit)


def _hub_listing(source: DataSource, base: str, revision: str) -> tuple[str, str, dict[str, tuple[int, str]]]:
    """Return commit, licence and files of a repository of the hub: path -> (bytes, checksum)."""
    try:
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled
        from huggingface_hub.utils import HFValidationError
    except ImportError as error:
        raise PrerequisiteError("`huggingface_hub` is not installed", "pip install 'agentsys[data]'") from error
    hub = HfApi(endpoint=base, token=False)
    ask = hub.model_info if source.what == "model" else hub.dataset_info
    try:
        told = ask(source.identifier, revision=revision or None, files_metadata=True, timeout=60, token=False)
    except OfflineModeIsEnabled as error:
        raise PrerequisiteError("`HF_HUB_OFFLINE` is set", "unset it, or name a folder: `--data-dir`") from error
    except (*_faults(HfHubHTTPError), HFValidationError) as error:
        words = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise PrerequisiteError(
            f"the hub does not give {source.label}: {words}",
            "gated and private ones: download it, and name `--data-dir`",
        ) from error
    rows = {row.rfilename: (int(row.size or 0), _hub_sum(row)) for row in told.siblings or ()}
    licence = told.card_data.get("license", "") if told.card_data is not None else ""
    words = ", ".join(map(str, cast("list[object]", licence))) if isinstance(licence, list) else str(licence or "")
    return str(told.sha or revision), words, rows


def _faults(kind: type[Exception]) -> tuple[type[Exception], ...]:
    """Return the bases of the hub's own error: those of the HTTP library that its version uses, and OSError."""
    return tuple(base for base in kind.__bases__ if issubclass(base, Exception))


def _hub_sum(row: RepoSibling) -> str:
    if row.lfs is not None:
        return f"sha256:{row.lfs.sha256}"
    return f"git:{row.blob_id}" if row.blob_id else ""


_RESOLVERS: Mapping[DataKind, Callable[[DataSource, Wire, str], Located]] = {
    "url": _url,
    "libsvm": _libsvm,
    "uci": _uci,
    "torchvision": _torchvision,
    "openml": _openml,
    "zenodo": _zenodo,
    "figshare": _figshare,
    "dataverse": _dataverse,
    "doi": _doi,
    "huggingface": _huggingface,
}
FETCHED = frozenset(_RESOLVERS)
"""Kinds that come over the network; the others are packages, and folders that only the user has."""


def _asked(source: DataSource, rows: Mapping[str, T]) -> list[tuple[str, T]]:
    """Return what the plan asks for of a listing."""
    return [(name, rows[name]) for name in matching(rows, source.files)]


def _sum(text: str) -> str:
    kind, _, value = text.partition(":")
    lengths = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}
    return text.lower() if re.fullmatch(r"[0-9a-fA-F]+", value) and lengths.get(kind) == len(value) else ""


def _last(address: str) -> str:
    return urlsplit(address).path.rpartition("/")[2]


def _fields(value: object) -> Fields:
    if not isinstance(value, dict):
        raise TypeError("an object was expected")
    return cast("Fields", value)


def _rows(value: object) -> list[Fields]:
    if not isinstance(value, list):
        raise TypeError("a list was expected")
    return [_fields(row) for row in cast("list[object]", value)]
