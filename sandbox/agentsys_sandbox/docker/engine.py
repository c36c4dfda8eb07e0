"""The Docker engine, or podman's compatible socket: the only module that touches the Docker SDK.

Everything here blocks; callers run it in threads. Transient faults of the daemon are retried here and nowhere else.
"""

from __future__ import annotations

import errno
import os
import re
import ssl
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, TypeVar

from tenacity import Retrying, retry_if_exception, stop_after_attempt, stop_after_delay, wait_random_exponential

from agentsys_sandbox.docker.records import (
    Certificates,
    ContainerPlan,
    ContainerState,
    EngineInfo,
    ImageRow,
    Named,
    NameTaken,
    named_rows,
    read_info,
)
from agentsys_sandbox.docker.stream import ExecStream
from agentsys_sandbox.errors import ImageMissing, SandboxGone, Unavailable

_T = TypeVar("_T")

_CONNECT_SECONDS = 10
_CALL_SECONDS = 60
_PATIENCE = 20.0
"""Seconds in which an engine may be restarted while something is removed: what is given up now stays behind."""
_USUAL = "unix:///var/run/docker.sock"
_START_HINT = "start the Docker engine, check that you may use its socket, or install bubblewrap"


class Engine:
    """One engine endpoint. Use `connect`."""

    def __init__(self, api: Any, info: EngineInfo, at_close: Callable[[], None] | None = None) -> None:
        self._api = api
        self.info = info
        self._at_close = at_close
        self._stayed_away = False
        self.half_closes = True
        """False where a program cannot be told the end of its input, see `ExecStream.half_closes`."""

    @classmethod
    def connect(
        cls,
        base_url: str = "",
        certificates: Certificates | None = None,
        *,
        local: bool | None = None,
        at_close: Callable[[], None] | None = None,
    ) -> Engine:
        """Connect and see that it answers.

        Args:
            base_url: as `unix:///run/podman/podman.sock`; empty takes the usual socket.
            certificates: for TLS.
            local: whether it may share this machine's files; None says so of every unix socket.
            at_close: called when the connection is closed.

        Raises: Unavailable.
        """
        import docker

        sdk: Any = docker
        options: dict[str, Any] = {"base_url": base_url or _USUAL}
        if certificates is not None:
            options["tls"] = _tls(certificates)
        where: str = options["base_url"]
        try:
            asked = "1.41" if certificates else "auto"
            api: Any = sdk.APIClient(**options, version=asked, timeout=_CONNECT_SECONDS, max_pool_size=64)
            if certificates:
                # Before the first request: a bundle in the environment would be taken in place of the engine's own.
                api.trust_env = False
                api._version = str(api.version(api_version=False)["ApiVersion"])
            facts, version = api.info(), api.version()
        except _errors() as error:
            raise Unavailable(f"no Docker engine answers at `{where}`: {_reason(error)}", _START_HINT) from error
        api.timeout = _CALL_SECONDS
        near = where.startswith(("unix://", "http+unix://")) if local is None else local
        engine = cls(api, read_info(facts, version, local=near), at_close)
        engine.half_closes = certificates is None
        return engine

    def close(self) -> None:
        """Close the connections to the engine."""
        self._api.close()
        if self._at_close is not None:
            self._at_close()

    # Images (the protocol that `images.ensure_image` needs)

    def has_image(self, reference: str) -> bool:
        """True if the image is there."""
        return self._find(lambda: self._api.inspect_image(reference)) is not None

    def image_environment(self, reference: str) -> dict[str, str]:
        """The environment variables that an image sets. Raises: ImageMissing."""
        found: Any = self._find(lambda: self._api.inspect_image(reference))
        if found is None:
            raise ImageMissing(f"the base image `{reference}` is not there", "run `agentsys sandbox build`")
        config: Any = found.get("Config") or {}
        pairs: list[str] = config.get("Env") or []
        return dict(pair.split("=", 1) for pair in pairs if "=" in pair)

    def import_image(self, tar: Iterable[bytes], repository: str, tag: str, changes: Iterable[str]) -> None:
        """Make an image of a tar of its root file system. Raises: Unavailable."""
        with _translated("cannot make the base image"):
            answer: str = self._api.import_image_from_stream(tar, repository=repository, tag=tag, changes=list(changes))
        if '"error"' in answer:
            raise Unavailable(f"the engine refused the base image: {answer[-300:].strip()}")
        made = re.findall(r"sha256:[0-9a-f]{64}", answer)
        if made and not self.has_image(f"{repository}:{tag}"):  # podman 4.3 calls every import `latest`
            with _translated("cannot name the base image"):
                self._api.tag(made[-1], repository, tag)

    def build_image(self, context: BinaryIO, dockerfile: str, tag: str) -> None:
        """Build an image from a tar with its recipe, which may pull from a registry. Raises: Unavailable."""
        with _translated(f"cannot build `{tag}`"):
            lines: Any = self._api.build(
                fileobj=context, custom_context=True, dockerfile=dockerfile, tag=tag, rm=True, forcerm=True, decode=True
            )
            failures = [str(line["error"]) for line in lines if "error" in line]
        if failures:
            raise Unavailable(f"cannot build `{tag}`: {' '.join(failures)[-300:]}")

    def images(self, label: str) -> list[ImageRow]:
        """Images that carry a label, those without a name too."""
        found: Any = self._find(lambda: self._api.images(filters={"label": label}))
        return [
            ImageRow(
                str(row["Id"]),
                tuple(tag for tag in row.get("RepoTags") or () if tag != "<none>:<none>"),
                int(row.get("Size") or 0),
            )
            for row in found or ()
        ]

    def remove_image(self, reference: str) -> None:
        """Remove an image that nothing uses; an absent one is no error. Raises: Unavailable where it is in use."""
        self._find(lambda: self._api.remove_image(reference))

    # Volumes

    def create_volume(self, name: str, labels: Mapping[str, str]) -> None:
        """Create a named volume (no error if it is there)."""
        with _translated(f"cannot create the volume `{name}`"):
            _retried(lambda: self._api.create_volume(name, labels=dict(labels)))

    def remove_volume(self, name: str) -> None:
        """Remove a volume; an absent one is no error."""
        self._find(lambda: self._api.remove_volume(name, force=True), patient=True)

    def volumes(self, label: str) -> list[Named]:
        """Volumes that carry a label."""
        found: Any = self._find(lambda: self._api.volumes(filters={"label": label}))
        return named_rows(found["Volumes"] if found else None, "Name")

    # Containers

    def create(self, plan: ContainerPlan) -> str:
        """Create a container; return its id. Raises: ImageMissing, Unavailable."""
        with _translated("cannot create the sandbox container"):
            host = dict(plan.host)
            host["ulimits"] = [{"Name": name, "Soft": most, "Hard": most} for name, most in plan.ulimits.items()]
            host["mounts"] = self._mounts(plan)
            made = self._api.create_container(
                image=plan.image,
                entrypoint=[plan.command[0]],
                command=list(plan.command[1:]),
                name=plan.name,
                hostname="sandbox",
                user=plan.user,
                working_dir="/",
                environment=dict(plan.environment),
                labels=dict(plan.labels),
                host_config=self._api.create_host_config(**host),
                use_config_proxy=False,  # the user's proxy variables may hold a password
            )
        return str(made["Id"])

    @staticmethod
    def _mounts(plan: ContainerPlan) -> list[Any]:
        from docker import types

        mount: Any = types.Mount
        found: list[Any] = [
            mount(target=inside, source=name, type="volume", read_only=inside in plan.read_only)
            for inside, name in plan.volumes.items()
        ]
        found += [mount(target=inside, source=path, type="bind", read_only=True) for path, inside in plan.binds.items()]
        return found

    def start(self, container: str) -> None:
        """Start a container. Raises: SandboxGone, Unavailable."""
        with _translated("cannot start the sandbox container"):
            _retried(lambda: self._api.start(container))

    def kill(self, container: str) -> None:
        """Kill all of its processes at once; one that is stopped or absent is no error."""
        self._find(lambda: self._api.kill(container), gone=(404, 409))

    def remove(self, container: str) -> None:
        """Remove a container, running or not; an absent one is no error."""
        self._find(lambda: self._api.remove_container(container, force=True, v=True), gone=(404, 409), patient=True)

    def state(self, container: str) -> ContainerState | None:
        """How a container is; None where it does not exist."""
        found = self._find(lambda: self._api.inspect_container(container))
        if found is None:
            return None
        state: Any = found["State"]
        labels: Any = found["Config"].get("Labels") or {}
        running = bool(state.get("Running")) and not state.get("Paused")
        return ContainerState(running, bool(state.get("OOMKilled")), labels)

    def ended(self, container: str, seconds: float) -> bool:
        """Wait until a container has ended; False where it still runs after that time."""
        with suppress(*_errors()):  # out of time, or the engine itself is away: its answer below says which
            self._api.wait(container, timeout=seconds)
        state = self.state(container)
        return state is None or not state.running

    def containers(self, label: str) -> list[Named]:
        """Containers that carry a label, stopped ones too."""
        return named_rows(self._find(lambda: self._api.containers(all=True, filters={"label": label})), "Id")

    def put_archive(self, container: str, folder: str, tar: BinaryIO) -> None:
        """Unpack a tar in a folder of a container. Raises: SandboxGone, Unavailable."""
        with _translated("cannot copy files into the sandbox container"):
            if not self._api.put_archive(container, folder, tar):
                raise Unavailable("the engine refused the files")

    # Programs

    def start_exec(
        self, container: str, argv: list[str], *, user: str, environment: Mapping[str, str], stdin: bool
    ) -> tuple[str, ExecStream]:
        """Start a program; return its id and the connection. Raises: SandboxGone, Unavailable."""
        with _translated("cannot start a program in the sandbox"):
            # Always in `/`: a working folder that the code under test controls may be a link into another namespace
            # (CVE-2024-21626). The program changes its folder itself, from inside.
            made = self._api.exec_create(
                container, argv, stdin=stdin, user=user, environment=dict(environment), workdir="/"
            )
            return made["Id"], ExecStream(self._api.exec_start(made["Id"], socket=True))

    def exec_state(self, exec_id: str) -> tuple[bool, int | None]:
        """Whether a program runs, and its exit code; (False, None) where the engine knows it no more."""
        found = self._find(lambda: self._api.exec_inspect(exec_id))
        return (bool(found["Running"]), found["ExitCode"]) if found else (False, None)

    def _find(self, call: Callable[[], Any], gone: tuple[int, ...] = (404,), *, patient: bool = False) -> Any:
        """Call with retries; None where the engine answers that the thing is not there.

        Args:
            patient: wait for an engine that is restarted, but only once: one that stayed away is not waited for again.
        """
        from docker.errors import APIError

        with _translated("the Docker engine failed"):
            try:
                return _retried(call, _PATIENCE if patient and not self._stayed_away else 0.0)
            except APIError as error:
                if _status(error) in gone:
                    return None
                self._stayed_away = self._stayed_away or patient
                raise
            except _errors():
                self._stayed_away = self._stayed_away or patient
                raise


def _tls(certificates: Certificates) -> Any:
    from docker.tls import TLSConfig

    config: Any = TLSConfig
    return config(
        client_cert=(str(certificates.certificate), str(certificates.key)),
        ca_cert=str(certificates.authority),
        verify=True,
    )


def _errors() -> tuple[type[Exception], ...]:
    """What the SDK raises when the engine fails: its own errors, those of requests, and of the socket."""
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    return (DockerException, RequestException, OSError)


def _status(error: BaseException) -> int:
    response = getattr(error, "response", None)
    return int(getattr(response, "status_code", 0) or 0)


def _transient(error: BaseException) -> bool:
    """A lost connection, an engine that is starting, a volume still being let go: worth another try.

    A time-out is not: an engine that hung for a minute hangs on, and a run that waits for it seems to hang itself.
    """
    from requests.exceptions import ConnectionError as Lost
    from requests.exceptions import ConnectTimeout

    lost = isinstance(error, Lost) and not isinstance(error, ConnectTimeout)
    return lost or _status(error) == 503 or "volume is in use" in str(error)


def _retried(call: Callable[[], _T], patience: float = 0.0) -> _T:
    """Call up to three times; with patience, in seconds, until that is over, and whatever the engine's own failure."""

    def again(error: BaseException) -> bool:
        return _transient(error) or (patience > 0 and _status(error) >= 500)

    policy: Any = Retrying(
        retry=retry_if_exception(again),
        stop=stop_after_delay(patience) if patience else stop_after_attempt(3),
        wait=wait_random_exponential(multiplier=0.2, max=2),
        reraise=True,
    )
    return policy(call)


def _reason(error: BaseException) -> str:
    """Return why in words: the SDK wraps what the system said into several layers of tuples."""
    explanation: Any = getattr(error, "explanation", None)
    text = str(explanation or _system_words(error) or error)
    return " ".join(text.split())[:300]


def _system_words(error: BaseException) -> str:
    """Return what the operating system said, anywhere below an error; empty where it said nothing."""
    waiting, seen = [error], set[int]()
    while waiting:
        item = waiting.pop(0)
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, OSError) and not isinstance(item, ssl.SSLError) and item.errno in errno.errorcode:
            return os.strerror(item.errno or 0)
        below = [*item.args, item.__cause__, item.__context__]
        waiting += [each for each in below if isinstance(each, BaseException)]
    return ""


@contextmanager
def _translated(what: str) -> Generator[None]:
    """Turn the SDK's errors into ours."""
    from docker.errors import ImageNotFound, NotFound

    try:
        yield
    except ImageNotFound as error:
        raise ImageMissing(f"{what}: {_reason(error)}", "run `agentsys sandbox build`") from error
    except NotFound as error:
        raise SandboxGone(f"{what}: {_reason(error)}", "the sandbox was removed from outside") from error
    except _errors() as error:
        if _status(error) == 409 and "already in use" in _reason(error):
            raise NameTaken(f"{what}: {_reason(error)}") from error
        if _status(error) in (409, 500) and "not running" in _reason(error):  # 500: it ended between two questions
            raise SandboxGone(f"{what}: {_reason(error)}", "the sandbox was stopped from outside") from error
        raise Unavailable(f"{what}: {_reason(error)}", _START_HINT) from error
