"""How loud a sound is over time: made once, kept, and small."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from emoscribe.core.timeline import Cues, Media
from emoscribe.extractors.media import SAMPLE_RATE, Sound
from emoscribe.extractors.media.peaks import MOST_PEAKS, peaks_of
from emoscribe.extractors.sources import FileSource
from emoscribe.extractors.store import CueStore
from emoscribe.outputs.tracks import thin, tracks_of


@pytest.fixture
def bursts(make_media: Callable[..., Path], tmp_path: Path) -> Path:
    """Two seconds: loud from 0.5 to 0.6 s, half as loud from 1 to 1.3 s."""
    loud = np.zeros(2 * SAMPLE_RATE)
    loud[8000:9600], loud[16000:20800] = 0.8, -0.4
    return make_media(tmp_path / "bursts.wav", sound=loud)


def test_peaks_are_hundredths_of_the_loudest(bursts: Path) -> None:
    source = FileSource(bursts)
    told = source.peaks()
    source.close()
    assert told.per_s == 50 and told.start_s == 0 and len(told.peaks) == 100
    expected = np.zeros(100)
    expected[25:30], expected[50:65] = 100, 50
    assert np.array_equal(told.peaks, expected)


def test_a_stretch_begins_where_it_begins(bursts: Path) -> None:
    source = FileSource(bursts, 0.9, 1.5)
    told = source.peaks()
    source.close()
    assert told.start_s == 0.9 and len(told.peaks) == 30
    # The loudest of the stretch is another than that of the file.
    assert told.peaks.max() == 100 and told.peaks[:5].max() == 0


def test_what_is_kept_is_not_decoded_again(bursts: Path, tmp_path: Path) -> None:
    store = CueStore(tmp_path / "store")
    first = FileSource(bursts, store=store)
    told = first.peaks(store)
    first.close()
    again = FileSource(bursts, store=CueStore(tmp_path / "store"))
    bursts.unlink()
    kept = again.peaks(CueStore(tmp_path / "store"))
    assert np.array_equal(kept.peaks, told.peaks) and kept.per_s == told.per_s


def test_of_long_sounds_there_are_no_more_peaks(tmp_path: Path) -> None:
    samples = 1700 * SAMPLE_RATE
    with open(tmp_path / "spool", "wb+") as spool:
        spool.truncate(2 * samples)  # silence, which takes no room
        told = peaks_of(Sound(spool, samples))
    assert MOST_PEAKS / 2 < len(told.peaks) <= MOST_PEAKS and not told.peaks.any()
    assert len(told.peaks) / told.per_s == pytest.approx(1700, rel=1e-3)


def test_a_page_holds_the_loudest_of_what_falls_together(bursts: Path) -> None:
    source = FileSource(bursts)
    tracks = tracks_of(Cues(Media("a.wav", 2.0, "00")), source.peaks())
    source.close()
    assert tracks is not None and set(tracks) == {"sound"}
    thinned = thin(tracks, 30)["sound"]
    assert len(thinned["peaks"]) == 25 and thinned["per_s"] == 12.5 and max(thinned["peaks"]) == 100
    assert tracks_of(Cues(Media("a.wav", 2.0, "00"))) is None
