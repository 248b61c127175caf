"""The application: its page, and what answers under `/api` and `/ws`."""

from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from ..core.errors import EmoscribeError
from ..core.files import passing_folder
from ..core.interrupts import BEFORE_THE_END
from ..core.text import reason_of
from . import routes, streams
from .errors import Refused, answer
from .files import files
from .jobs import Jobs
from .models import models
from .place import Place
from .requests import Defaults
from .security import Guard
from .settings import ServeSettings
from .worker import Worker

_HOME = Path(__file__).parent.parent
# Folders of the page; a module of one imports from the other by a path that holds here too.
_PAGES = ("app/page", "outputs/page")


def create_app(settings: ServeSettings, defaults: Defaults) -> FastAPI:
    """The application.

    Its processes begin when it starts, and its folder is gone when it ends.

    Raises:
        SettingsError: the analysis it would do is not as it has to be.
    """
    defaults.settings  # noqa: B018 – it is better known at once that they are wrong

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with passing_folder() as folder:
            model_worker = Worker(models, defaults, first="prepare", told=lambda *said: jobs.tell(*said))
            file_worker = Worker(files)
            jobs = Jobs(folder, model_worker, file_worker, settings)
            app.state.place = Place(settings, defaults, jobs, model_worker, file_worker, folder)
            for worker in (model_worker, file_worker):
                BEFORE_THE_END.append(worker.close)
                worker.start()
            going_on = [asyncio.create_task(jobs.run()), asyncio.create_task(jobs.expire())]
            try:
                yield
            finally:
                for each in going_on:
                    each.cancel()
                for worker in (model_worker, file_worker):
                    BEFORE_THE_END.remove(worker.close)
                    worker.close()

    app = FastAPI(
        title="emoscribe",
        description="From a video to a labelled transcript: what was said, how it looked and sounded, as a service.",
        lifespan=lifespan,
        # Their pages would load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
    )
    app.include_router(routes.router)
    app.include_router(streams.router)
    app.add_exception_handler(EmoscribeError, _refuse)
    app.add_exception_handler(HTTPException, _refuse)
    app.add_exception_handler(RequestValidationError, _refuse)
    app.add_exception_handler(OSError, _refuse)
    mimetypes.add_type("text/javascript", ".js")
    for name in _PAGES:
        app.mount(f"/{name}", StaticFiles(directory=_HOME / name), name=name)

    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(_HOME / _PAGES[0] / "index.html")

    app.add_middleware(Guard, settings=settings)
    return app


async def _refuse(request: Request, error: Exception) -> Response:
    """One line in JSON, whatever it is."""
    if isinstance(error, HTTPException):
        headers = dict(error.headers) if error.headers else None
        return answer(
            Refused(f"{request.method} {request.url.path}: {error.detail.lower()}", error.status_code, headers)
        )
    if isinstance(error, RequestValidationError):
        first = error.errors()[0]
        return answer(Refused(f"{'.'.join(map(str, first['loc']))}: {first['msg'].lower()}"))
    if isinstance(error, OSError):
        where, why = request.app.state.place.folder.parent, reason_of(error)
        return answer(Refused(f"what was sent cannot be kept in {where}: {why}; remove jobs, or make room there", 507))
    assert isinstance(error, EmoscribeError)
    return answer(error)
