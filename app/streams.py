"""`/ws/live`: a browser's sound and pictures to the models, and what they are read as back."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from starlette.types import Message

from ..core.errors import EmoscribeError, SettingsError
from .errors import Refused
from .jobs import Job, payload_of
from .live_start import LiveStart, arrived, begun, unframed
from .place import Here, Place
from .requests import asked_for
from .uploads import file_name
from .worker import LiveChannel

router = APIRouter()

# Of a message: a picture of a stream, generously.
MESSAGE_BYTES = 2_000_000
# What cannot be understood, before whoever sends it is sent away.
_RUBBISH = 10
# Messages a second, and how many more at once: a browser sends a dozen.
_PER_S, _BURST = 100.0, 500.0
# A stream that has just ended lets go of the device in less.
_DEVICE_S = 3.0
# Somebody who sends nothing for so long while a stream goes on has gone.
_SILENCE_S = 30.0
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
        self._ready = False
        self._allowed, self._counted = _BURST, time.monotonic()

    async def go_on(self) -> None:
        """Until either side has enough."""
        rubbish = 0
        try:
            while rubbish < _RUBBISH:
                message = await self._received()
                if message["type"] == "websocket.disconnect":
                    return
                if len(message.get("bytes") or message.get("text") or "") > MESSAGE_BYTES:
                    await self._socket.close(1009)
                    return
                try:
                    self._count()
                    await self._take(message)
                except EmoscribeError as error:
                    rubbish += 1
                    await self._say_error(error)
                    if self._streaming is not None:
                        break
            await self._socket.close(1008)
        finally:
            # Whoever is cut off finds what came of it among the jobs.
            if self._channel is not None:
                self._channel.close()

    async def _received(self) -> Message:
        if self._channel is None or not self._ready:
            return await self._socket.receive()
        try:
            return await asyncio.wait_for(self._socket.receive(), _SILENCE_S)
        except TimeoutError:
            self._channel.close()
            return await self._socket.receive()

    def _count(self) -> None:
        """
        Raises:
            Refused: too many messages come.
        """
        now = time.monotonic()
        self._allowed = min(_BURST, self._allowed + (now - self._counted) * _PER_S) - 1
        self._counted = now
        if self._allowed < 0:
            raise Refused(f"more than {_PER_S:.0f} messages a second; send sound in chunks of 100 to 250 ms", 429)

    async def _take(self, message: Message) -> None:
        chunk = message.get("bytes")
        if chunk is None:
            await self._told(_object(message.get("text") or ""))
            return
        if self._streaming is None:
            raise Refused('nothing has begun: send {"type": "start"} before sound and pictures')
        unframed(chunk)
        # What comes after the end, or before there is anybody to take it, is left out.
        if self._channel is not None:
            self._channel.send(arrived(chunk))
            await self._channel.room()

    async def _told(self, said: dict[str, Any]) -> None:
        kind = said.get("type")
        if kind == "text":
            self._type(said)
        elif kind == "start":
            if self._streaming is not None:
                raise Refused("this socket has a stream already; open another one")
            self._streaming = asyncio.create_task(self._stream(begun(said)))
            await asyncio.sleep(0)
        elif kind == "stop":
            if self._streaming is None:
                raise Refused('there is nothing to stop: send {"type": "start"} first')
            if self._channel is not None:
                self._channel.close()
        else:
            raise Refused(f"unknown type {kind!r}; there are: start, stop, text")

    # ── a stream ─────────────────────────────────────────────────────────────

    async def _stream(self, start: LiveStart) -> None:
        """From its start to the job that it becomes."""
        jobs = self._here.jobs
        try:
            settings = self._here.defaults.settings_for(asked_for(start.asked))
            async with self._device(), jobs.new(file_name(start.name)) as job:
                with jobs.running(job):
                    limit_s = self._here.settings.live_s
                    await self._answer(payload_of(job, settings, start=start, limit_s=limit_s), job)
                if job.state != "done":
                    # Of what came to nothing, nothing stays.
                    raise Refused(job.error or "the stream was called off")
            await self._socket.send_json({"type": "end", "job": job.id})
        except EmoscribeError as error:
            with suppress(WebSocketDisconnect, RuntimeError):
                await self._say_error(error)
                await self._socket.close(1008)
        except (WebSocketDisconnect, RuntimeError):
            return  # whoever listened is gone
        finally:
            self._channel = None

    @asynccontextmanager
    async def _device(self) -> AsyncIterator[None]:
        """
        Raises:
            Refused: others have it, and go on.
        """
        device = self._here.jobs.device
        try:
            await asyncio.wait_for(device.acquire(), _DEVICE_S)
        except TimeoutError:
            raise Refused("something else is being analysed; wait until it is done, or call it off", 409) from None
        try:
            yield
        finally:
            device.release()

    async def _answer(self, payload: dict[str, Any], job: Job) -> None:
        """Each reply, until there is no more to come."""
        self._channel = channel = self._here.models.live(payload)
        job.tasks["live"] = channel.task
        async for reply in channel:
            self._ready = self._ready or reply["type"] == "ready"
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
