"""The local server: addresses to views. It reads run directories and changes nothing."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

from markupsafe import Markup
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from agentsys.core.errors import AgentsysError, UsageError
from agentsys.core.rundir import RunDir, all_runs
from agentsys.report.verdict import effective_status
from agentsys.report.view.files import MAX_PICTURE, NotThere, read_inside, read_png
from agentsys.report.view.guard import Guard
from agentsys.report.view.links import ServerLinks
from agentsys.report.view.live import live
from agentsys.report.view.render import asset, render
from agentsys.report.view.runs import COLUMNS, compare, ordered, run_row
from agentsys.report.view.source import Source
from agentsys.report.view.views import MAIN, show

HOST = "127.0.0.1"


class Shelf:
    """The runs that are shown: one, or all below a folder.

    Args:
        place: a run directory, or a folder of them.
    """

    def __init__(self, place: Path) -> None:
        self.single = RunDir(place) if (place / "run.json").is_file() else None
        self._folder = place
        self._sources: dict[str, Source] = {}

    def runs(self) -> list[RunDir]:
        """Return every run, oldest first."""
        return [self.single] if self.single is not None else all_runs(self._folder)

    def source(self, name: str) -> Source:
        """Return a run by its id. Raises: NotThere."""
        found = next((run for run in self.runs() if run.path.name == name), None)
        if found is None:
            raise NotThere(name)
        if name not in self._sources:
            self._sources.clear()  # one at a time: what was read of the others is given back
            self._sources[name] = Source(found)
        return self._sources[name]


class Pages:
    """Answers requests about the runs of a shelf."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def start(self, request: Request) -> Response:
        """The list of runs; of a single one its overview."""
        if self._shelf.single is not None:
            return RedirectResponse(ServerLinks(Source(self._shelf.single)).to("overview"), 303)
        order, down = request.query_params.get("sort", ""), "down" in request.query_params
        rows = [run_row(run, ServerLinks(Source(run)).to("overview")) for run in self._shelf.runs()]
        values = {"rows": ordered(rows, order, down), "columns": COLUMNS, "order": order, "down": down}
        return _page("Runs", Markup(render("runs.html", values)), title="Runs", home="")

    def compare(self, request: Request) -> Response:
        """Two runs side by side."""
        names = request.query_params.getlist("run")[:2]
        if len(names) != 2:
            return _page("Two runs", Markup(render("compare.html", {"pair": [], "groups": []})))
        sources = [self._shelf.source(name) for name in names]
        pair = [(source.id, ServerLinks(source).to("overview")) for source in sources]
        values = {"pair": pair, "groups": compare(*sources)}
        return _page("Two runs", Markup(render("compare.html", values)))

    def view(self, request: Request) -> Response:
        """One view of one run."""
        kind, name = request.path_params["kind"], request.path_params.get("name", "")
        source = self._shelf.source(request.path_params["run"])
        links = ServerLinks(source)
        body = show(kind, source, links, name, request.query_params)
        here = next((words for each, words in MAIN if each == kind), f"{kind} {name}".strip())
        return _page(
            here,
            body,
            title=source.data.record.title or source.id,
            status=effective_status(source.data),
            home="" if self._shelf.single is not None else "/",
            views=MAIN,
            to=links.to,
            here=kind,
            search=links.to("search"),
            wanted=request.query_params.get("q", ""),
        )

    def live(self, request: Request) -> Response:
        """Where a run stands, for the page that shows it."""
        found = live(self._shelf.source(request.path_params["run"]))
        ended = {} if found.running else {"X-Run-Ended": "yes"}
        return HTMLResponse(render("live.html", {"live": found}), headers=ended)

    def image(self, request: Request) -> Response:
        """A PNG of the run."""
        source = self._shelf.source(request.path_params["run"])
        return Response(read_png(source.path, request.path_params["name"]), media_type="image/png")

    def plot(self, request: Request) -> Response:
        """A plot of the run, as a document that may do nothing."""
        name = request.path_params["name"]
        if not name.endswith(".svg"):
            raise NotThere(name)
        source = self._shelf.source(request.path_params["run"])
        alone = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox"}
        return Response(read_inside(source.path, name, MAX_PICTURE), headers=alone, media_type="image/svg+xml")

    def spot(self, request: Request) -> Response:
        """A place of the paper as a picture."""
        source = self._shelf.source(request.path_params["run"])
        kind, name, block = (request.path_params[key] for key in ("kind", "name", "block"))
        spot = next((spot for spot in source.spots(kind, name) if spot.name == block), None)
        png = source.picture(spot) if spot is not None else None
        if png is None:
            raise NotThere(block)
        return Response(png, media_type="image/png")


def make_app(place: Path, hosts: tuple[str, ...], token: str) -> Starlette:
    """Return the server of a run, or of a folder of runs; see `Guard` for hosts and token."""
    pages = Pages(Shelf(place))
    run = "/runs/{run}"
    routes = [
        Route("/", _one_by_one(pages.start)),
        Route("/compare", _one_by_one(pages.compare)),
        Route("/view.css", _asset("view.css", "text/css")),
        Route("/view.js", _asset("view.js", "text/javascript")),
        Route(f"{run}/live", _one_by_one(pages.live)),
        Route(f"{run}/image/{{name:path}}", _one_by_one(pages.image)),
        Route(f"{run}/plot/{{name:path}}", _one_by_one(pages.plot)),
        Route(f"{run}/spot/{{kind}}/{{name}}/{{block}}", _one_by_one(pages.spot)),
        Route(f"{run}/{{kind}}", _one_by_one(pages.view)),
        Route(f"{run}/{{kind}}/{{name:path}}", _one_by_one(pages.view)),
    ]
    handlers = {NotThere: _not_there, AgentsysError: _unusable, HTTPException: _not_there}
    guard = Middleware(Guard, hosts=hosts, token=token)
    return Starlette(routes=routes, middleware=[guard], exception_handlers=handlers)  # pyright: ignore[reportArgumentType]


def _one_by_one(answer: Callable[[Request], Response]) -> Callable[[Request], Awaitable[Response]]:
    """Answer within the loop: there is one reader, and each thread would keep memory of its own."""

    async def answered(request: Request) -> Response:
        return answer(request)

    return answered


def serve(place: Path, port: int, tell: Callable[[str], None]) -> None:
    """Serve until the process is interrupted.

    Args:
        port: of 127.0.0.1; 0 takes a free one.
        tell: told the address, once it can be opened.

    Raises: UsageError where the port is taken.
    """
    import uvicorn

    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError as error:
            raise UsageError(f"port {port} cannot be used: {error.strerror}", "take another with `--port`") from error
        listener.listen()
        taken = listener.getsockname()[1]
        token = secrets.token_urlsafe(24)
        app = make_app(place, (f"{HOST}:{taken}", f"localhost:{taken}"), token)
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            lifespan="off",
            ws="none",
            http="h11",
            loop="asyncio",
            server_header=False,
            timeout_graceful_shutdown=1,  # a browser that keeps its connection must not keep the server
        )
        tell(f"http://{HOST}:{taken}/?token={token}")
        uvicorn.Server(config).run(sockets=[listener])


def _page(words: str, body: Markup, *, code: int = 200, **values: object) -> HTMLResponse:
    empty: dict[str, object] = dict.fromkeys(("status", "here", "search", "wanted"), "")
    given = {"title": "agentsys", "views": (), "to": str, "home": "/", "to_server": True, **values}
    filled = {**empty, "words": words, "body": body, **given}
    return HTMLResponse(render("server.html", filled), code)


def _asset(name: str, media_type: str) -> Callable[[Request], Awaitable[Response]]:
    return _one_by_one(lambda _request: Response(asset(name), media_type=media_type))


async def _not_there(_request: Request, error: Exception) -> Response:
    code = error.status_code if isinstance(error, HTTPException) else 404
    values = {"words": "There is no such page", "remedy": "It may lie outside of the run, or be gone."}
    return _page("Not there", Markup(render("error.html", values)), code=code)


async def _unusable(_request: Request, error: Exception) -> Response:
    values = {"words": str(error), "remedy": getattr(error, "hint", "")}
    return _page("Cannot be shown", Markup(render("error.html", values)), code=409)
