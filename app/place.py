"""What all routes share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from .jobs import Jobs
from .requests import Defaults
from .settings import ServeSettings
from .worker import Worker


@dataclass(frozen=True)
class Place:
    """A service that has started.

    Attributes:
        folder: of what is on its way, and of the jobs.
    """

    settings: ServeSettings
    defaults: Defaults
    jobs: Jobs
    models: Worker
    files: Worker
    folder: Path


def _place(connection: HTTPConnection) -> Place:
    return connection.app.state.place


Here = Annotated[Place, Depends(_place)]
