"""A release: the audited repository with the files that build and run it as an image that can do little else."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agentsys_policies.engine import Policy
from agentsys_policies.errors import PolicyError
from agentsys_policies.repository import SBOM, SCRIPT, Audit, audit_repository
from agentsys_policies.sbom import Installed

LOCK = "requirements.lock"
REMEDY = "let the program write what can be examined and correct what was found, then make a new run of it"
BASE_IMAGE = "python:3.11-slim"
USER = 10001
"""User and group id inside the image."""

_DOCKERFILE = """\
# {title}: made by agentsys {version} from a verified run. Audit record: audit/, head {head}
ARG BASE={base}
FROM ${{BASE}}
USER 0:0
WORKDIR /app
COPY app/{lock} /tmp/{lock}
{install}
COPY app /app
COPY audit /audit
RUN python3 -c "import os; os.mkdir('/results'); os.chown('/results', {user}, {user})"
LABEL org.opencontainers.image.title="{title}" \\
      org.agentsys.audit.head="{head}" \\
      org.agentsys.audit.tree="{tree}" \\
      org.agentsys.run="{run}"
ENV HOME=/tmp PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PYTHONPATH=/tmp/run:/tmp/run/src \\
    PATH=/opt/venv/bin:$PATH
USER {user}:{user}
ENTRYPOINT ["sh", "-c", "cp -R /app /tmp/run && cd /tmp/run && bash {script} \\"$0\\" && cp -R results/. /results/"]
CMD ["smoke"]
"""
_FROM_WHEELS = """\
COPY wheels /tmp/wheels
RUN python3 -m venv /opt/venv \\
 && /opt/venv/bin/pip install --no-cache-dir --no-index --no-deps --find-links /tmp/wheels -r /tmp/{lock} \\
 && rm -rf /tmp/wheels /tmp/{lock}"""
_FROM_INDEX = """\
RUN python3 -m venv /opt/venv \\
 && /opt/venv/bin/pip install --no-cache-dir --no-deps --only-binary :all: -r /tmp/{lock} \\
 && rm /tmp/{lock}"""
_COMPOSE = """\
# The program gets no network, no capability, a read-only file system, and limits; results go into one volume.
services:
  {name}:
    build: .
    image: "{name}:{tag}"
    user: "{user}:{user}"
    read_only: true
    network_mode: none
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    pids_limit: 512
    mem_limit: {memory}m
    cpus: {cpus}
    tmpfs: ["/tmp:size=1g,mode=1777"]
    volumes: ["results:/results"]
    command: ["smoke"]
volumes:
  results: {{}}
"""
_README = """\
# {title}

Built by agentsys {version} from the verified run `{run}`. The smoke profile:

```sh
docker compose up --build
```

or without compose:

```sh
docker build --tag {name}:{tag} .
docker run --rm --read-only --network none --cap-drop ALL --security-opt no-new-privileges \\
  --user {user}:{user} --pids-limit 512 --memory {memory}m --cpus {cpus} --tmpfs /tmp:size=1g,mode=1777 \\
  --volume {name}-results:/results {name}:{tag} smoke
```

- `app/`: the repository, as it was verified
- `audit/`: what the safety policy found, as a record that `agentsys audit verify audit` recomputes; head of the record:
  `{head}`
- `audit/{sbom}`: what is installed

The audit is a filter and not a proof: the limits above are what bounds the program.
"""


@dataclass(frozen=True)
class ReleaseFacts:
    """What a release says about itself."""

    title: str
    run: str
    version: str
    base: str = BASE_IMAGE
    memory_mb: int = 4096
    cpus: float = 2.0


def reasons_against(status: str, replayed: bool, repo: Path, installed: Sequence[Installed]) -> list[str]:
    """Return why a run cannot be released; an empty list if nothing stands against it but the audit itself."""
    reasons: list[str] = []
    if status != "verified":
        reasons.append(f"the run is {status}, not verified")
    if not replayed:
        reasons.append("the repository was not replayed in a fresh sandbox")
    if not (repo / LOCK).is_file():
        reasons.append(f"the repository has no `{LOCK}`")
    if not (repo / SCRIPT).is_file():
        reasons.append(f"the repository has no `{SCRIPT}`")
    if not installed:
        reasons.append("it is not known what was installed when the run was verified")
    return reasons


def audit_for_release(
    repo: Path,
    policy: Policy,
    installed: Sequence[Installed],
    known: frozenset[str] = frozenset(),
    without: Sequence[str] = (),
) -> list[str]:
    """Return what the audit of the files that would go into a release says against it; nothing is written.

    Raises: PolicyError if the files cannot be audited.
    """
    with tempfile.TemporaryDirectory(prefix="agentsys-release-") as folder:
        _copy(repo, Path(folder) / "app", without)
        return audit_repository(Path(folder) / "app", policy, installed=installed, known=known).against(policy)


def make_release(
    repo: Path,
    out: Path,
    policy: Policy,
    installed: Sequence[Installed],
    facts: ReleaseFacts,
    known: frozenset[str] = frozenset(),
    without: Sequence[str] = (),
) -> Audit:
    """Write a release into a new folder; its audit is made afresh from the files that go into it.

    Args:
        known: SHA-256 of what the verified run wrote into `results/`.
        without: folders at the top of the repository that are not to be passed on.

    Raises: PolicyError if `out` is not empty or the audit does not allow the repository; nothing is left behind then.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise PolicyError(f"`{out}` is not empty", "name a new folder")
    try:
        app = out / "app"
        _copy(repo, app, without)
        name = _name(facts.title)
        audit = audit_repository(
            app, policy, out=out / "audit", installed=installed, name=name, version=facts.version, known=known
        )
        if not audit.allows:
            raise PolicyError(f"the audit does not allow a release: {' | '.join(audit.against(policy))}", REMEDY)
        if policy.tree_hash(app) != audit.decisions[0].sha256:
            raise PolicyError("the files changed while they were audited", "try again")
        (out / ".dockerignore").write_text(".git\n**/__pycache__\n", encoding="utf-8")
        write_recipes(out, audit, facts, wheels=False)
    except BaseException:
        shutil.rmtree(out, ignore_errors=True)
        raise
    return audit


def write_recipes(out: Path, audit: Audit, facts: ReleaseFacts, *, wheels: bool) -> str:
    """Write Dockerfile, compose file and README; return the name of the image. `wheels`: install from `wheels/`."""
    name = _name(facts.title)
    values = {
        "title": re.sub(r"[^\w .,:()-]", "", facts.title)[:100],
        "name": name,
        "tag": audit.head[:12],
        "head": audit.head,
        "tree": audit.decisions[0].sha256,
        "run": re.sub(r"[^\w.-]", "", facts.run),
        "version": facts.version,
        "base": facts.base,
        "user": USER,
        "script": SCRIPT,
        "lock": LOCK,
        "sbom": SBOM,
        "memory": facts.memory_mb,
        "cpus": facts.cpus,
    }
    install = (_FROM_WHEELS if wheels else _FROM_INDEX).format(lock=LOCK)
    (out / "Dockerfile").write_text(_DOCKERFILE.format(**values, install=install), encoding="utf-8")
    (out / "compose.yaml").write_text(_COMPOSE.format(**values), encoding="utf-8")
    (out / "README.md").write_text(_README.format(**values), encoding="utf-8")
    return f"{name}:{audit.head[:12]}"


def _copy(repo: Path, app: Path, without: Sequence[str]) -> None:
    """Copy the repository without its history; a link is refused, because it would lead out of the image."""
    left_out = {name.rstrip("/") for name in without}
    for folder, names, files in os.walk(repo, followlinks=False):
        names[:] = sorted(name for name in names if name not in {".git", "__pycache__", ".pytest_cache"})
        here = Path(folder)
        if here == repo:
            names[:] = [name for name in names if name not in left_out]
        for name in [*names, *files]:
            if (here / name).is_symlink():
                raise PolicyError(f"`{(here / name).relative_to(repo)}` is a symbolic link", "replace it by a file")
        target = app / here.relative_to(repo)
        target.mkdir(parents=True, exist_ok=True)
        for name in files:
            shutil.copy2(here / name, target / name)


def _name(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:40].strip("-") or "release"
