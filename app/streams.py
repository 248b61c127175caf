"""`/ws/live`: a browser's sound and pictures to the models, and what they are read as back."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from typing import Any

from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from starlette.types import Message

from ..core.errors import EmoscribeError, SettingsError
from .errors import Refused
from .jobs import Job, payload_of
from .place import Here, Place
from .requests import asked_for
from .uploads import file_name
from .worker import LiveChannel

router = APIRouter()

# What cannot be understood, before whoever sends it is sent away.
_RUBBISH = 10
# Characters of a line that is typed.
_LINE = 2_000


@router.websocket("/ws/live")
async def live(socket: WebSocket, here: Here) -> None:
    await socket.accept()
    with suppress(WebSocketDisconnect, RuntimeError):
        await _Talk(socket, here).go_on()


class _Talk:
    """What is said over one socket."""

    def __init__(self, socket: WebSocket, here: Place) -> None:
        self._socket, self._here = socket, here
        self._channel: LiveChannel | None = None
        self._streaming: asyncio.Task[None] | None = None
        self._typed: asyncio.Task[None] | None = None
        self._next: dict[str, Any] | None = None
        self._until = float("inf")

    async def go_on(self) -> None:
        """Until either side has enough."""
        rubbish = 0
        try:
            while rubbish < _RUBBISH:
                message = await self._socket.receive()
                if message["type"] == "websocket.disconnect":
                    return
                try:
                    await self._take(message)
                except EmoscribeError as error:
                    rubbish += 1
                    await self._say_error(error)
            await self._socket.close(1008)
        finally:
            # Whoever is cut off finds what came of it among the jobs.
            if self._channel is not None:
                self._channel.close()

    async def _take(self, message: Message) -> None:
        chunk = message.get("bytes")
        if chunk is None:
            await self._told(_object(message.get("text") or ""))
            return
        if self._channel is None:
            raise Refused('nothing has begun: send {"type": "start"} before sound and pictures')
        if time.monotonic() > self._until:
            self._channel.close()
            raise Refused(f"a stream lasts {self._here.settings.live_s:,.0f} s at most; begin another one")
        await self._channel.room()
        self._channel.send(chunk)

    async def _told(self, said: dict[str, Any]) -> None:
        kind = said.get("type")
        if kind == "text":
            self._type(said)
        elif kind == "start":
            if self._streaming is not None:
                raise Refused("this socket has a stream already; open another one")
            self._streaming = asyncio.create_task(self._stream(said))
            await asyncio.sleep(0)
        elif self._channel is None:
            raise Refused(f"unknown type {kind!r}; there are: start, stop, text, and stop only after start")
        elif kind == "stop":
            self._channel.close()
        else:
            self._channel.send(said)

    # ── a stream ─────────────────────────────────────────────────────────────

    async def _stream(self, start: dict[str, Any]) -> None:
        """From its start to the job that it becomes."""
        jobs = self._here.jobs
        try:
            if jobs.device.locked():
                raise Refused("something else is being analysed; wait until it is done, or call it off", 409)
            async with jobs.device, jobs.new(file_name(str(start.get("name") or "Live"))) as job:
                with jobs.running(job):
                    await self._answer(start, job)
            if job.state == "done":
                await self._socket.send_json({"type": "end", "job": job.id})
            elif job.error is not None:
                await self._say_error(Refused(job.error))
        except EmoscribeError as error:
            await self._say_error(error)
        except (WebSocketDisconnect, RuntimeError):
            return  # whoever listened is gone
        finally:
            self._channel = None

    async def _answer(self, start: dict[str, Any], job: Job) -> None:
        asked = asked_for(
            {name: start.get(name) for name in ("config", "run", "labels", "language", "model")}
            | {"modalities": start.get("signals"), "window": start.get("window_s")}
        )
        payload = payload_of(job, self._here.defaults.settings_for(asked), start=start)
        self._channel = channel = self._here.models.live(payload)
        self._until = time.monotonic() + self._here.settings.live_s
        job.tasks["live"] = channel.task
        async for reply in channel:
            with suppress(WebSocketDisconnect, RuntimeError):
                await self._socket.send_json(reply)

    # ── text, as one types ───────────────────────────────────────────────────

    def _type(self, said: dict[str, Any]) -> None:
        """Only the last line that was typed meanwhile is read."""
        self._next = said
        if self._typed is None or self._typed.done():
            self._typed = asyncio.create_task(self._read())

    async def _read(self) -> None:
        while (said := self._next) is not None:
            self._next = None
            try:
                text = said.get("text")
                if not isinstance(text, str) or len(text) > _LINE:
                    raise Refused(f'"text" has to be a line of at most {_LINE:,} characters')
                asked = {name: said[name] for name in ("run", "labels") if name in said}
                payload = {"value": {"text": [text], **asked}, "jobs": str(self._here.folder)}
                read = json.loads(await self._here.models.submit("read", payload))
                await self._socket.send_json({"type": "reading", "labels": read["labels"], **read["segments"][0]})
            except EmoscribeError as error:
                await self._say_error(error)
            except (WebSocketDisconnect, RuntimeError):
                return

    async def _say_error(self, error: EmoscribeError) -> None:
        await self._socket.send_json({"type": "error", "error": " ".join(str(error).split())})


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise SettingsError("a message is not JSON") from None
    if not isinstance(value, dict):
        raise SettingsError('a message has to be an object, as in {"type": "start"}')
    return value
