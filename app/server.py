"""The application, served: one process of uvicorn, whoever is slow sent away."""

from __future__ import annotations

import asyncio
import socket
from typing import Any
from urllib.parse import quote

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..core.errors import EmoscribeError
from ..core.text import reason_of
from .requests import Defaults
from .service import create_app
from .settings import ServeSettings
from .streams import MESSAGE_BYTES

# How many messages of a WebSocket may wait to be read.
_MESSAGES = 8
# Bytes of a request's head.
_HEAD_BYTES = 32_000
_END_S = 1


def bound(settings: ServeSettings) -> socket.socket:
    """A socket that listens.

    Raises:
        EmoscribeError: the port is taken, or there is no such host.
    """
    where = f"{settings.host}:{settings.port}"
    try:
        kind = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(kind[4][:2], family=kind[0], backlog=128)
    except OSError as error:
        # Python says beside the reason what it was about to do.
        reason = reason_of(error).partition(" (")[0]
        raise EmoscribeError(f"cannot listen at {where}: {reason}; choose another --port or --host") from None


def address(settings: ServeSettings, port: int) -> str:
    """What to open in a browser."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{port}/" + (f"?token={quote(settings.token, safe='')}" if settings.token is not None else "")


def server_of(settings: ServeSettings, defaults: Defaults) -> uvicorn.Server:
    """The server, to be run with a socket from `bound`.

    Raises:
        SettingsError: see `create_app`.
    """
    config = uvicorn.Config(
        create_app(settings, defaults),
        http=_protocol(settings.stall_s),
        ws="websockets-sansio",
        # Whoever sends still more is cut off, and may not hear why: what they are sending is on its way.
        ws_max_size=2 * MESSAGE_BYTES,
        ws_max_queue=_MESSAGES,
        ws_per_message_deflate=False,  # a message that unfolds would be larger than it may be
        h11_max_incomplete_event_size=_HEAD_BYTES,
        limit_concurrency=settings.connections,
        timeout_graceful_shutdown=_END_S,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )
    return uvicorn.Server(config)


def _protocol(stall_s: float) -> type[asyncio.Protocol]:
    """HTTP, whose requests have to be whole in time: their heads, and what is left of them once they are answered."""

    class Prompt(H11Protocol):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self._deadline: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._watch()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._watch()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._watch()

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            self._forget()

        def _watch(self) -> None:
            """The clock runs while a head is incomplete, or a body comes that nobody reads any more."""
            theirs, ours = self.conn.their_state, self.conn.our_state
            if theirs is not h11.IDLE and not (theirs is h11.SEND_BODY and ours in (h11.DONE, h11.MUST_CLOSE)):
                self._forget()
            elif self._deadline is None:
                self._deadline = self.loop.call_later(stall_s, self.transport.close)

        def _forget(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

    return Prompt
