"""What the service listens to, and what it refuses."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

from ..core.settings import Settings


class ServeSettings(Settings):
    """Where the service listens, whom it answers, and how much it takes."""

    host: str = "127.0.0.1"
    """The address to listen at; any other than this machine's own needs a token, or `insecure`."""
    port: int = Field(default=7860, ge=0, le=65535)
    """The port to listen at; 0 is any that is free."""
    token: str | None = Field(default=None, pattern=r"^[!-~]{8,}$")
    """What whoever comes has to show, eight characters or more and no spaces; null for nothing."""
    insecure: bool = False
    """Answer other machines without a token."""
    names: tuple[str, ...] = ()
    """Names beside its own by which the service is called, as behind a proxy."""
    roots: tuple[Path, ...] = ()
    """Folders whose files may be analysed where they are, by their path."""
    upload_bytes: int = Field(default=4_000_000_000, ge=1)
    """Bytes that an upload has at most."""
    document_bytes: int = Field(default=50_000_000, ge=1)
    """Bytes that a document, a kept result or another body that is no media has at most."""
    length_s: float = Field(default=3 * 3600.0, gt=0)
    """Seconds that a recording, or the stretch of it that is asked for, lasts at most."""
    pixels: int = Field(default=100_000_000, ge=1)
    """Pixels that a picture has at most."""
    live_s: float = Field(default=3600.0, gt=0)
    """Seconds that a stream lasts at most."""
    queue: int = Field(default=32, ge=1)
    """Jobs that may wait, and be uploaded, at a time."""
    keep_s: float = Field(default=3600.0, gt=0)
    """Seconds that a job is kept after it was last asked for."""
    connections: int = Field(default=100, ge=10)
    """Connections at a time."""
    stall_s: float = Field(default=20.0, gt=0)
    """Seconds in which something of an upload, and all of a request's head, has to come."""

    @property
    def is_local(self) -> bool:
        """Whether only this machine is answered."""
        return self.host in LOOPBACK

    @model_validator(mode="after")
    def _not_open_to_all(self) -> ServeSettings:
        if not self.is_local and self.token is None and not self.insecure:
            raise ValueError(
                f"host {self.host} lets other machines in: give --token, which they have to show, or --insecure"
            )
        return self


# Hosts that only this machine reaches.
LOOPBACK = ("127.0.0.1", "localhost", "::1")
