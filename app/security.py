"""Who is answered: this machine's own page, and whoever has the token; nobody whom another site sends."""

from __future__ import annotations

import hmac
import ipaddress
import re
import secrets
import socket
from collections.abc import Mapping
from urllib.parse import parse_qsl, quote, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .errors import Refused, answer
from .settings import LOOPBACK, ServeSettings

# Methods that change nothing.
_SAFE = ("GET", "HEAD", "OPTIONS")
# A name or an address, and perhaps a port.
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?", re.IGNORECASE)

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
    "connect-src 'self' ws://{host} wss://{host}; worker-src 'self'; font-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(self), microphone=(self), geolocation=(), display-capture=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """ASGI middleware that all requests and WebSockets go through, before anything of them is read.

    - The Host has to be one of ours: a name that somebody points at this machine (DNS rebinding) is not.
    - What changes something, and a WebSocket, has to come from our own page, where a browser says where from.
    - Where there is a token, it has to be shown: as `Authorization: Bearer`, or by the cookie that a first request
      with `?token=` is given.
    """

    def __init__(self, app: ASGIApp, settings: ServeSettings) -> None:
        self._app, self._token = app, settings.token
        self._open = not settings.is_local
        self._names = {name.lower() for name in (*LOOPBACK, settings.host, *settings.names)}
        if self._open:
            self._names |= {socket.gethostname().lower(), socket.getfqdn().lower()}
        # What the cookie holds: nothing that would serve anybody after the service has ended.
        self._cookie, self._session = f"emoscribe-{settings.port}", secrets.token_urlsafe(32)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host = headers.get("host", "")

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = MutableHeaders(scope=message)
                added.update(_HEADERS)
                # A browser keeps nothing of what is removed here, and asks whether a page is still the same.
                added["Cache-Control"] = "no-store" if scope["path"].startswith("/api/") else "no-cache"
                # A Host that is no name at all is not repeated.
                added["Content-Security-Policy"] = _POLICY.format(host=host if _HOST.fullmatch(host) else "localhost")
            await send(message)

        try:
            self._check_host(host)
            self._check_origin(scope, headers, host)
            if (first := self._first_visit(scope)) is not None:
                await first(scope, receive, guarded)
                return
            self._check_token(headers)
        except Refused as error:
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008, "reason": str(error)[:100]})
            else:
                await answer(error)(scope, receive, guarded)
            return
        await self._app(scope, receive, guarded)

    def _check_host(self, host: str) -> None:
        found = _HOST.fullmatch(host)
        name = found[1].strip("[]").lower() if found is not None else ""
        if name in self._names or (self._open and _is_address(name)):
            return
        raise Refused(
            f"the host {host!r} is none of this service's; use the address that it printed, or name it with --allow",
            403,
        )

    def _check_origin(self, scope: Scope, headers: Mapping[str, str], host: str) -> None:
        """By what a browser says; other programs say nothing, and could say anything."""
        origin = headers.get("origin")
        changes = scope["type"] == "websocket" or scope["method"] not in _SAFE
        if changes and origin is not None and _host_of(origin) != host.lower():
            raise Refused(f"the origin {origin!r} is not this service's page; open the address that it printed", 403)
        from_elsewhere = headers.get("sec-fetch-site") in ("cross-site", "same-site")
        if from_elsewhere and (changes or headers.get("sec-fetch-mode") != "navigate"):
            raise Refused("another site's page asks for this; open the address that the service printed", 403)

    def _first_visit(self, scope: Scope) -> RedirectResponse | None:
        """With the token in the address: a cookie, and the address without it.

        Raises:
            Refused: it is another token.
        """
        if self._token is None or scope["type"] != "http" or scope["method"] != "GET":
            return None
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        shown = [value for name, value in query if name == "token"]
        if not shown:
            return None
        if not _same(shown[0], self._token):
            raise Refused(_ASK, 401)
        rest = urlencode([(name, value) for name, value in query if name != "token"])
        # One slash: two would lead to another machine.
        path = quote("/" + scope["path"].lstrip("/"))
        to = RedirectResponse(path + (f"?{rest}" if rest else ""), 303)
        to.set_cookie(self._cookie, self._session, httponly=True, samesite="lax")
        return to

    def _check_token(self, headers: Mapping[str, str]) -> None:
        if self._token is None:
            return
        kind, _, shown = headers.get("authorization", "").partition(" ")
        cookie = cookie_parser(headers.get("cookie", "")).get(self._cookie, "")
        if not (kind.lower() == "bearer" and _same(shown.strip(), self._token)) and not _same(cookie, self._session):
            raise Refused(_ASK, 401, {"WWW-Authenticate": "Bearer"})


_ASK = "this service asks for its token: open the address that it printed, or send 'Authorization: Bearer TOKEN'"


def _same(shown: str, expected: str) -> bool:
    """Compared in a time that does not tell how much of it was right."""
    return hmac.compare_digest(shown.encode(), expected.encode())


def _is_address(name: str) -> bool:
    """Whether it is numbers: those nobody can point elsewhere."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _host_of(origin: str) -> str:
    """Host and port of an origin, as a Host header would have them; nothing of one that is no page's."""
    scheme, separator, host = origin.lower().partition("://")
    return host if separator and scheme in ("http", "https") else ""
