"""What answers under `/api`."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, Response, StreamingResponse

from ..core.errors import SettingsError
from ..outputs.formats import FORMATS
from ..outputs.write import file_stem
from . import described
from .errors import Refused
from .jobs import Job, payload_of
from .place import Here, Place
from .requests import Asked, asked_for, run_options
from .uploads import Form, Limits, file_name, receive_file, receive_form

router = APIRouter(prefix="/api")

# Bytes of a text, or of a file's path with the settings of its analysis.
_SMALL_BYTES = 1_000_000
# A document that takes longer is made to.
_PATIENCE_S = 60.0
# Beside those of `FORMATS`: the JSON, under a name that tells that it can be opened again.
_AGAIN = ("emoscribe", "emoscribe.json")


@router.get("/options", summary="What can be asked for")
def options(here: Here) -> described.Options:
    limits, prepared = here.settings, here.models.prepared
    choices = None
    if prepared is not None and prepared.done():
        failed = prepared.exception()
        choices = prepared.result() if failed is None else [str(failed)]
    return described.Options(
        runs=run_options(here.defaults),
        configs=list(here.defaults.configs),
        formats={name: wanted.suffix for name, wanted in FORMATS.items()},
        limits={name: getattr(limits, name) for name in ("upload_bytes", "length_s", "pixels", "live_s", "queue")},
        ready=choices is not None,
        choices=choices or [],
        device=here.defaults.settings.model.device,
    )


# ── jobs ─────────────────────────────────────────────────────────────────────


@router.post("/analyze", status_code=202, summary="Analyse a file", **described.ANALYZE)
async def analyze(request: Request, here: Here) -> described.Created:
    with here.jobs.place():
        async with here.jobs.new() as job:
            asked, transcript = await _received(request, here, job)
            settings = await asyncio.to_thread(here.defaults.settings_for, asked)
            job.asked = payload_of(
                job, settings, media=str(job.media), transcript=transcript, start_s=asked.start_s, end_s=asked.end_s
            )
    here.jobs.enqueue(job)
    return described.Created(id=job.id)


async def _received(request: Request, here: Place, job: Job) -> tuple[Asked, str | None]:
    """What was asked for; the file lies in the job's folder, or where it was."""
    if request.headers.get("content-type", "").startswith("application/json"):
        value = await _json(request, here, _SMALL_BYTES)
        path = value.pop("path", None) if isinstance(value, dict) else None
        if not isinstance(path, str):
            raise Refused('the body has to be an object with "path", a file in one of the folders given with --root')
        job.media = _allowed(path, here)
        job.name = job.media.name
        return asked_for(value), None
    _check_room(request, here)
    form = await _form(request, here, job.folder, "transcript")
    if "file" not in form.files:
        raise Refused("the form has no part 'file'; send the video, sound file or picture as that")
    job.media, job.name = form.files["file"], form.names["file"]
    if job.media.suffix == ".pdf":
        raise Refused(f"{job.name} is a document; POST it to /api/documents, and its text to /api/read", 415)
    transcript = form.files.get("transcript")
    return asked_for(form.fields), str(transcript) if transcript is not None else None


async def _form(request: Request, here: Place, folder: Path, beside: str) -> Form:
    """A form with media as its part `file`, and another part that is a smaller file."""
    limits = here.settings
    files = {"file": limits.upload_bytes, beside: limits.document_bytes}
    return await receive_form(request, folder, files, Limits(limits.upload_bytes, limits.stall_s))


def _allowed(path: str, here: Place) -> Path:
    """A file in one of the folders that the service may read."""
    try:
        file = Path(path).resolve(strict=True)
    except (OSError, ValueError):
        file = None
    roots = [root.resolve() for root in here.settings.roots]
    if file is None or not file.is_file() or not any(file.is_relative_to(root) for root in roots):
        folders = ", ".join(map(str, roots)) or "none: give --root DIR"
        raise Refused(f"{path!r} is no file in a folder that may be read; those are {folders}", 403)
    return file


def _check_room(request: Request, here: Place) -> None:
    announced = request.headers.get("content-length", "")
    # Twice: formats that hold the video are as long again.
    if announced.isdigit() and 2 * int(announced) > shutil.disk_usage(here.folder).free:
        raise Refused(f"the disk has no room for {int(announced):,} bytes; remove jobs, or wait until they expire", 507)


@router.get("/jobs", summary="All jobs, in the order in which they came")
def jobs(here: Here) -> list[described.Status]:
    return [described.Status(**status) for status in here.jobs.all()]


@router.get("/events", summary="How far all jobs are, whenever that changes", **described.EVENTS)
async def all_events(here: Here) -> StreamingResponse:
    return _told(here.jobs.watch_all())


@router.get("/jobs/{id}", summary="How far a job is")
async def job(id: str, here: Here) -> described.Status:
    return described.Status(**here.jobs.status(here.jobs.get(id)))


@router.get("/jobs/{id}/events", summary="How far a job is, whenever that changes", **described.EVENTS)
async def events(id: str, here: Here) -> StreamingResponse:
    return _told(here.jobs.watch(here.jobs.get(id)))


def _told(watched: AsyncIterator[dict[str, Any] | None]) -> StreamingResponse:
    """Statuses as server-sent events; a comment where there was nothing new."""

    async def lines() -> AsyncIterator[str]:
        async for status in watched:
            yield f"data: {json.dumps(status)}\n\n" if status is not None else ": nothing new\n\n"

    return StreamingResponse(lines(), media_type="text/event-stream")


@router.delete("/jobs/{id}", status_code=204, summary="Call a job off, and remove all of it")
async def remove(id: str, here: Here) -> Response:
    here.jobs.remove(here.jobs.get(id))
    return Response(status_code=204)


@router.get("/jobs/{id}/media", summary="The file that a job is about; byte ranges are answered", **described.MEDIA)
async def media(id: str, here: Here) -> FileResponse:
    found = here.jobs.get(id)
    if found.media is None:
        raise Refused(f"job {id} has no media: it was live, or opened without", 404)
    kind = described.MEDIA_TYPES.get(found.media.suffix.lower(), "application/octet-stream")
    return FileResponse(found.media, media_type=kind)


# ── results ──────────────────────────────────────────────────────────────────


@router.get("/jobs/{id}/result.{format}", summary="A result in one of the formats", **described.RESULT)
async def result(id: str, format: str, here: Here, original: bool = False) -> FileResponse:
    found = here.jobs.get(id)
    source = found.result if original and found.current else found.current
    if format == "json" or format in _AGAIN:
        path, suffix = source, ".json" if format == "json" else ".emoscribe.json"
    elif format in FORMATS:
        suffix = FORMATS[format].suffix
        path = await here.jobs.converted(found, source, format, suffix)
    else:
        raise Refused(f"unknown format {format!r}; there are: {', '.join((*FORMATS, _AGAIN[0]))}", 404)
    name = file_stem(Path(file_name(found.name)).stem) + suffix
    return FileResponse(path, filename=name)


@router.put("/jobs/{id}/result", status_code=204, summary="Keep a corrected result", **described.CORRECT)
async def correct(id: str, request: Request, here: Here) -> Response:
    found = here.jobs.get(id)
    found.current  # noqa: B018 – there has to be one to correct
    async with _passing_file(request, here, here.settings.document_bytes) as sent:
        await _checked(here, sent, found.corrected)
    found.notify()
    return Response(status_code=204)


@router.post("/results", status_code=201, summary="Open a kept result again", **described.REOPEN)
async def reopen(request: Request, here: Here) -> described.Created:
    with here.jobs.place():
        async with here.jobs.new() as job:
            _check_room(request, here)
            form = await _form(request, here, job.folder, "result")
            if "result" not in form.files:
                raise Refused("the form has no part 'result'; send the .json that was kept as that")
            job.media = form.files.get("file")
            job.name = await _checked(here, form.files["result"], job.result)
            form.files["result"].unlink()
            job.become("done")
    return described.Created(id=job.id)


async def _checked(here: Place, sent: Path, out: Path) -> str:
    """A result that was sent, written where it is kept; the name of its media."""
    async with here.jobs.filing:
        named = await here.files.submit("check", {"sent": str(sent), "out": str(out)}).within(_PATIENCE_S)
    return file_name(named)


# ── text ─────────────────────────────────────────────────────────────────────


@router.post("/read", summary="Read lines of text, or a result again with some of its signals", **described.READ)
async def read(request: Request, here: Here) -> Response:
    async with _passing_file(request, here, here.settings.document_bytes) as body, here.jobs.filing:
        answer = await here.models.submit("read", {"body": str(body), "jobs": str(here.folder)})
    return Response(answer, media_type="application/json")


@router.post("/documents", summary="The text of a document, paragraph by paragraph", **described.DOCUMENT)
async def documents(request: Request, here: Here) -> described.Paragraphs:
    folder = Path(tempfile.mkdtemp(dir=here.folder))
    try:
        most = here.settings.document_bytes
        form = await receive_form(request, folder, {"file": most}, Limits(most, here.settings.stall_s))
        if "file" not in form.files:
            raise Refused("the form has no part 'file'; send the document as that")
        document = {"path": str(form.files["file"]), "name": form.names["file"]}
        async with here.jobs.filing:
            return described.Paragraphs(text=await here.files.submit("document", document).within(_PATIENCE_S))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def _passing_file(request: Request, here: Place, most_bytes: int) -> AsyncIterator[Path]:
    """A body in a file that is gone after the block."""
    folder = Path(tempfile.mkdtemp(dir=here.folder))
    try:
        path = folder / "body"
        await receive_file(request, path, Limits(most_bytes, here.settings.stall_s))
        yield path
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _json(request: Request, here: Place, most_bytes: int) -> Any:
    """A small body as JSON."""
    async with _passing_file(request, here, most_bytes) as path:
        try:
            return json.loads(path.read_bytes())
        except (ValueError, RecursionError) as error:
            raise SettingsError(f"the body is not JSON in UTF-8 ({type(error).__name__})") from None
