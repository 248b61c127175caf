"""What is answered to whoever asks for what is not done."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import JSONResponse

from ..core.errors import EmoscribeError


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
    refused = error if isinstance(error, Refused) else Refused(str(error))
    return JSONResponse({"error": " ".join(str(error).split())}, refused.status, headers=refused.headers)
