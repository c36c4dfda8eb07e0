"""Settings of a run: one frozen object, a sentence under every field. Layers and files are in `settings_layers`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from agentsys.core.events import Stage
from agentsys.core.providers import AUTO, is_provider, provider_table
from agentsys_sandbox import backends

ROLES: dict[str, Stage | None] = {
    "planner": "plan",
    "analyzer": "analyse",
    "coder": "code",
    "debugger": "debug",
    "auditor": "screen",
    "reviewer": "review",
    "checker": "experiments",
    "judge": None,
}
"""Who asks a model, and the stage of its calls; the judge works in `agentsys evaluate`, outside of a run."""


def _role(name: str) -> str:
    if name not in ROLES:
        raise _none_of(ROLES)
    return name


def _provider(name: str) -> str:
    if not is_provider(name):
        raise _none_of([AUTO, *provider_table()])
    return name


def _backend(name: str) -> str:
    if name not in (AUTO, *backends.BACKENDS) and name not in backends.names():
        raise _none_of([AUTO, *backends.names()])
    return name


def _none_of(names: Iterable[str]) -> PydanticCustomError:
    *others, last = (f"'{name}'" for name in names)
    return PydanticCustomError(
        "literal_error", "Input should be {expected}", {"expected": f"{', '.join(others)} or {last}"}
    )


RoleName = Annotated[str, AfterValidator(_role)]
ProviderName = Annotated[str, AfterValidator(_provider)]
Price = Annotated[str, Field(pattern=r"^[^=\s]+=\d+(\.\d+)?/\d+(\.\d+)?$")]
Mirror = Annotated[str, Field(pattern=r"^[a-z0-9.-]+=(https://|http://(127\.0\.0\.1|localhost)[:/])\S+$")]
BackendName = Annotated[str, AfterValidator(_backend)]


class Settings(BaseModel):
    """Everything that changes how a run behaves. Secrets are not settings: keys come from the environment only."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = ""
    """Name of the model as the provider knows it; required unless a recording is replayed."""
    provider: ProviderName = AUTO
    """A name of the table in `core.providers`; `auto`: the provider that names a pattern for the model (`claude-*`) if
    there is no OPENAI_BASE_URL, otherwise any OpenAI-compatible endpoint."""
    base_url: str = ""
    """Endpoint; empty takes OPENAI_BASE_URL, then the SDK's default."""
    model_params: dict[str, object] = Field(default_factory=dict[str, object])
    """Passed to the provider as they are: temperature, reasoning_effort, max_completion_tokens, extra_body ..."""
    extra_query: dict[str, str] = Field(default_factory=dict[str, str])
    """Fields of the address of each request, such as Azure's `api-version`; those of `base_url` are kept too."""
    extra_headers: dict[str, str] = Field(default_factory=dict[str, str])
    """Headers of each request; `$NAME` stands for the value of an environment variable."""
    agent_models: dict[RoleName, str] = Field(default_factory=dict[RoleName, str])
    """Another model for single roles, by their names in ROLES."""
    concurrency: int = Field(default=8, ge=1, le=64)
    """Model calls under way at the same time."""
    call_timeout: float = Field(default=900.0, gt=0)
    """Seconds an endpoint may be silent: until its answer, or within a stream."""
    attempts: int = Field(default=5, ge=1, le=20)
    """Tries of one model call against transient faults."""
    vision: Literal["auto", "on", "off"] = "auto"
    """Whether pictures of figures go to models; `auto`: to those whose names are known to take images."""

    max_rounds: int = Field(default=5, ge=0, le=50)
    """Repair rounds after the first verification."""
    budget: float | None = Field(default=None, ge=0)
    """US dollars; None has no limit."""
    prices: list[Price] = Field(default_factory=list[Price])
    """`NAME=IN/OUT`: what models of your own cost, in US dollars a million tokens; counts before the price list."""
    max_tokens: int | None = Field(default=None, ge=0)
    """Prompt and completion tokens together; None has no limit."""
    time_limit: float | None = Field(default=None, gt=0)
    """Wall-clock seconds of the whole run; None has no limit."""
    round_timeout: float = Field(default=1200.0, gt=0)
    """Seconds one command of a verification may take (install, tests, smoke run)."""
    full_seconds: float = Field(default=120.0, ge=0)
    """Seconds of processor time, on each processor, for the full profile of a verified repository; 0 only offers it."""
    mutants: int = Field(default=12, ge=0, le=100)
    """Small faults planted after the first green verification, to see whether the tests notice; 0 plants none."""

    derived_tests: bool = True
    """Tests derived from the paper for every requirement; without, one smoke test."""
    reviews: int = Field(default=2, ge=0, le=5)
    """Times the code is compared with the paper's words after all checks passed; 0 leaves it out."""

    claims: Literal["on", "off"] = "on"
    """Whether the paper's claims get contracts before any code, and verdicts after it is verified."""
    claim_budget: float = Field(default=600.0, ge=0)
    """CPU seconds that the experiments of all claims may take together."""
    claim_jobs: int = Field(default=0, ge=0, le=64)
    """Cells of claims run at the same time, each in a sandbox with `cpus` and `memory_mb` of its own; 0 takes as many
    as this machine has processors and memory for."""

    reader: Literal["auto", "text", "nougat"] = "auto"
    """`auto` and `text` use the text layer of a PDF; `nougat` adds a model on this machine for formulas."""
    ocr: bool = False
    """Recognise scanned pages with tesseract."""
    nougat_model: Path | None = None
    """Folder of a nougat checkpoint on this machine; weights are never downloaded."""
    source: Path | None = None
    """LaTeX source of the paper that is given as PDF: equations are taken from it."""
    max_pages: int = Field(default=100, ge=1, le=2000)
    """Pages of a PDF that are read; the report names what was left out."""
    arxiv_url: str = "https://arxiv.org"
    """Where papers named by their arXiv number are fetched: arXiv, or a copy of it."""
    offline: bool = False
    """Fetch no papers and no data: take what was fetched before."""

    data: Literal["auto", "ask", "never"] = "ask"
    """Whether data of the paper's own scale is fetched: as the policy allows, after a person's yes, or not at all."""
    data_budget: float = Field(default=5.0, ge=0)
    """GB (10^9 bytes) of data that one command may fetch, and that what it fetches may unpack to."""
    data_dir: Path | None = None
    """A folder that a run finds as `data/`, in place of anything fetched."""
    data_mirrors: list[Mirror] = Field(default_factory=list[Mirror])
    """`HOST=ADDRESS`: servers of your own that are asked in place of a source's host."""

    backend: BackendName = AUTO
    """Where code runs; `auto` tries docker, podman's socket, bubblewrap, and otherwise refuses."""
    docker_hosts: list[str] = Field(default_factory=list[str])
    """Docker endpoints to share the work: contexts, `unix://`, `ssh://`, `tcp://` with TLS; empty: this machine's."""
    package_cooldown_days: float = Field(default=0.0, ge=0)
    """Days that a package file must have been on its index before it is installed; 0 has no limit."""
    denied_packages: list[str] = Field(default_factory=list[str])
    """Names of packages that are never installed."""
    runtime: str = ""
    """Container runtime that code runs under, such as `runsc` (gVisor); empty takes the engine's own."""
    image: str = ""
    """Base image; empty takes agentsys' own."""
    gpu: bool = False
    """Hand the machine's GPUs to the sandbox, which then shares the host's driver."""
    gpu_driver: str = Field(default="", pattern=r"^(\d{1,4}(\.\d{1,4}){1,3})?$")
    """NVIDIA driver for which builds of PyTorch are chosen, such as `535.54.03`; empty: as the index offers them."""
    memory_mb: int = Field(default=4096, ge=256)
    """Memory of the sandbox in MiB."""
    cpus: float = Field(default=2.0, gt=0)
    """CPU cores of the sandbox."""
    allow_weak_sandbox: bool = False
    """Go on although a demanded control of the sandbox is not effective; every report says so."""

    policy: str = "default"
    """`default`, or a folder or file of rules on top of it."""
    review: Path | None = None
    """A person's review file: which rules may be passed over in this run, by whom, and why."""
    advisories: Path | None = None
    """Vulnerability data: a folder or zip of OSV records, or JSON. Without it vulnerabilities are not looked up."""
    runs_dir: Path = Path("agentsys-runs")
    """Where run directories are made."""
    display: Literal["auto", "live", "plain", "quiet", "json"] = "auto"
    """How progress is shown on standard error (`json`: events on standard output)."""
    replay: Path | None = None
    """A folder of recorded model calls; no model is asked."""
    strict_replay: bool = False
    """Refuse recordings whose prompt has changed since."""
    stop_after: Literal["", "read", "plan", "claims", "analyse", "code"] = ""
    """End after this stage."""

    @property
    def models(self) -> tuple[str, ...]:
        """The names of all models, sorted, each once; none where no model is named."""
        return tuple(sorted({self.model, *self.agent_models.values()} - {""}))

    def model_of(self, role: str) -> str:
        """Return the name of the model that a role asks; without one of its own the checker takes the reviewer's."""
        second = self.agent_models.get("reviewer", "") if role == "checker" else ""
        return self.agent_models.get(role) or second or self.model
