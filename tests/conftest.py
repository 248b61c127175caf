"""What tests are given; by subject in `fixtures/`."""

from __future__ import annotations

_SUBJECTS = ("faces", "formats", "media", "programs", "recognisers", "runs", "scripts", "transcripts")

pytest_plugins = [f"{__package__}.fixtures.{subject}" for subject in _SUBJECTS]
