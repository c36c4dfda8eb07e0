"""Names: which distribution of the package index brings an import, where the two differ."""

from __future__ import annotations

import re
import sys

DISTRIBUTION_OF: dict[str, str] = {
    "absl": "absl-py",
    "attr": "attrs",
    "Bio": "biopython",
    "bs4": "beautifulsoup4",
    "community": "python-louvain",
    "Crypto": "pycryptodome",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "faiss": "faiss-cpu",
    "fitz": "pymupdf",
    "git": "gitpython",
    "github": "pygithub",
    "google.protobuf": "protobuf",
    "grpc": "grpcio",
    "gym": "gymnasium",
    "hydra": "hydra-core",
    "igraph": "python-igraph",
    "jwt": "pyjwt",
    "Levenshtein": "python-levenshtein",
    "magic": "python-magic",
    "mpl_toolkits": "matplotlib",
    "nacl": "pynacl",
    "OpenGL": "pyopengl",
    "osgeo": "gdal",
    "past": "future",
    "PIL": "pillow",
    "pkg_resources": "setuptools",
    "pl_bolts": "lightning-bolts",
    "progressbar": "progressbar2",
    "psycopg2": "psycopg2-binary",
    "pylab": "matplotlib",
    "ruamel": "ruamel.yaml",
    "serial": "pyserial",
    "sklearn": "scikit-learn",
    "skimage": "scikit-image",
    "skopt": "scikit-optimize",
    "socks": "pysocks",
    "umap": "umap-learn",
    "usb": "pyusb",
    "wx": "wxpython",
    "xdg": "pyxdg",
    "yaml": "pyyaml",
    "zmq": "pyzmq",
}
"""Import name to distribution name. Others are taken as equal, with `_` as `-`."""


def distribution_of(module: str) -> str:
    """Return the distribution that most likely brings the import `module` (dotted or not)."""
    if module in DISTRIBUTION_OF:
        return DISTRIBUTION_OF[module]
    top = module.partition(".")[0]
    return DISTRIBUTION_OF.get(top, normal_name(top))


def normal_name(name: str) -> str:
    """Return a distribution's name in the index's normal form: lower case, runs of `-_.` as one `-`."""
    return re.sub(r"[-_.]+", "-", name).lower()


_FORMER = frozenset(
    [
        "aifc",
        "asynchat",
        "asyncore",
        "audioop",
        "cgi",
        "cgitb",
        "chunk",
        "crypt",
        "distutils",
        "imghdr",
        "imp",
        "lib2to3",
        "mailcap",
        "msilib",
        "nis",
        "nntplib",
        "ossaudiodev",
        "pipes",
        "smtpd",
        "sndhdr",
        "spwd",
        "sunau",
        "telnetlib",
        "uu",
        "xdrlib",
    ]
)
"""Modules that Python 3.12 or 3.13 no longer has: no distribution of that name replaces them."""


def is_stdlib(module: str) -> bool:
    """True if the top of `module` belongs to Python itself, of this version or of the ones before."""
    top = module.partition(".")[0]
    return top in sys.stdlib_module_names or top in _FORMER
