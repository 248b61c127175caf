"""What the routes take and give, as `/openapi.json` describes it, with examples."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

_STATUS = {
    "id": "5f1c2b0e9a7d4e3f8b6a1c0d2e4f6a8b",
    "name": "interview.mp4",
    "state": "running",
    "place": None,
    "stages": {"listening": 0.62, "looking": 0.48},
    "remaining_s": 41.5,
    "error": None,
    "corrected": False,
    "has_media": True,
    "created": 1795824000.0,
    "expires": None,
}


class Status(BaseModel):
    """How far a job is."""

    model_config = {"json_schema_extra": {"examples": [_STATUS]}}

    id: str
    name: str
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    place: int | None = Field(description="In the queue, from 1.")
    stages: dict[str, float] = Field(description="How much of each is done, in 0–1; they run side by side.")
    remaining_s: float | None
    error: str | None
    corrected: bool
    has_media: bool
    created: float = Field(description="Epoch seconds.")
    expires: float | None = Field(description="Epoch seconds; later, each time it is asked for.")


class Created(BaseModel):
    """A job."""

    model_config = {"json_schema_extra": {"examples": [{"id": _STATUS["id"]}]}}

    id: str


class Paragraphs(BaseModel):
    """A document's text."""

    model_config = {"json_schema_extra": {"examples": [{"text": ["It was late.", "Nobody came."]}]}}

    text: list[str]


class Options(BaseModel):
    """What can be asked for, and how much of it."""

    runs: list[dict[str, Any]]
    configs: list[str] = Field(description="The first is the service's own.")
    formats: dict[str, str] = Field(description="By name, how their files end.")
    limits: dict[str, float]
    ready: bool = Field(description="Whether models are loaded.")
    choices: list[str] = Field(description="What `auto` chose, a line each.")
    device: str


class Error(BaseModel):
    """What went wrong, which value, what is allowed, what to do next."""

    model_config = {"json_schema_extra": {"examples": [{"error": "unknown format 'doc'; there are: json, srt, vtt"}]}}

    error: str


def _body(kind: str, properties: dict[str, Any], example: dict[str, Any], *required: str) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "required": list(required)}
    return {kind: {"schema": schema, "example": example}}


def _errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": Error} for status in statuses}


def _takes(content: dict[str, Any], *statuses: int) -> dict[str, Any]:
    """Of a route: the body that it takes, and the errors that it answers with."""
    return {
        "openapi_extra": {"requestBody": {"required": True, "content": content}},
        "responses": _errors(400, *statuses),
    }


def _gives(kind: str, about: str, *statuses: int) -> dict[str, Any]:
    """Of a route that gives something else than JSON."""
    return {"responses": {200: {"description": about, "content": {kind: {}}}, **_errors(404, *statuses)}}


_FILE, _TEXT, _NUMBER = {"type": "string", "format": "binary"}, {"type": "string"}, {"type": "number"}
_ASKED = {
    **{name: _TEXT for name in ("config", "run", "labels", "modalities", "language", "model", "speakers", "name")},
    **{name: _NUMBER for name in ("window", "hop", "start_s", "end_s")},
}

ANALYZE = _takes(
    _body(
        "multipart/form-data",
        {"file": _FILE, "transcript": _FILE, **_ASKED},
        {"file": "interview.mp4", "labels": "compound", "start_s": 10},
        "file",
    )
    | _body("application/json", {"path": _TEXT, **_ASKED}, {"path": "/data/interview.mp4", "labels": "basic"}, "path"),
    *(403, 408, 413, 415, 429, 507),
)
EVENTS = _gives("text/event-stream", "Server-sent events: `data:` is a Status as JSON, the last one final.")
MEDIA = _gives("video/mp4", "The file as it was sent.")
RESULT = _gives("application/json", "The file, under the name of what was analysed.", 409, 507)
CORRECT = _takes(
    {"application/json": {"schema": {"type": "object", "description": "As `result.json` has it."}}}, 404, 409, 413, 507
)
REOPEN = _takes(
    _body(
        "multipart/form-data",
        {"result": _FILE, "file": _FILE},
        {"result": "talk.emoscribe.json", "file": "talk.mp4"},
        "result",
    ),
    *(408, 413, 415, 429, 507),
)
READ = _takes(
    _body(
        "application/json",
        {
            "text": {"oneOf": [_TEXT, {"type": "array", "items": _TEXT}]},
            "speaker": _TEXT,
            "job": {"type": "string", "description": "The id of one whose result is to be read again."},
            "result": {"type": "object", "description": "Or that itself, as `result.json` has it."},
            "signals": {"type": "array", "items": _TEXT, "description": "Sets of letters of TVA, each read by itself."},
        },
        {"text": ["You came back!", "I had to."], "speaker": "Ann"},
    ),
    *(404, 413, 507),
)
DOCUMENT = _takes(_body("multipart/form-data", {"file": _FILE}, {"file": "letters.pdf"}, "file"), 408, 413, 415, 507)

# By ending, what a browser plays; all else is only ever saved.
MEDIA_TYPES = {
    **{".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/quicktime", ".webm": "video/webm"},
    **{".mkv": "video/x-matroska", ".ogv": "video/ogg", ".avi": "video/x-msvideo", ".mpg": "video/mpeg"},
    **{".wav": "audio/wav", ".mp3": "audio/mpeg", ".m4a": "audio/mp4", ".aac": "audio/aac", ".flac": "audio/flac"},
    **{".ogg": "audio/ogg", ".opus": "audio/ogg", ".weba": "audio/webm"},
    **{".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp", ".bmp": "image/bmp"},
    ".gif": "image/gif",
}
