"""What is answered to whoever asks for what is not done."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import JSONResponse

from ..core.errors import EmoscribeError, WriteError


class Refused(EmoscribeError):
    """A request that is not answered as asked.

    Attributes:
        status: of HTTP.
        headers: beside the message.
    """

    def __init__(self, message: str, status: int = 400, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.headers = status, headers


def answer(error: EmoscribeError) -> JSONResponse:
    """The error as one line in JSON."""
    headers = error.headers if isinstance(error, Refused) else None
    return JSONResponse({"error": " ".join(str(error).split())}, status_of(error), headers=headers)


def status_of(error: EmoscribeError) -> int:
    """That of HTTP: who asks can do nothing about a disk that is full here."""
    if isinstance(error, Refused):
        return error.status
    return 507 if isinstance(error, WriteError) else 400
