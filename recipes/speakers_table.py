"""How well voices are told apart: mixtures of RAVDESS's actors, who take turns in all their moods.

    python recipes/speakers_table.py RAVDESS-FOLDER [--mixtures 7]

Prints a table for docs/extractors.md: the share of speech that is given to the
right voice, and of mixtures in which as many voices are found as there are.
Actors, moods and turns are drawn; each actor has four to seven turns, with the
silences of the recordings between them or hardly any, in clear sound and in
white noise 15 dB below the median recording.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from emoscribe.corpora.corpus import CorpusRequest
from emoscribe.corpora.registry import read_corpus
from emoscribe.extractors import media
from emoscribe.extractors.media.sound import SAMPLE_RATE, Sound
from emoscribe.extractors.settings import SpeakerSettings
from emoscribe.extractors.speakers.clustering import turns_of
from emoscribe.extractors.speakers.turns import Turn
from emoscribe.extractors.speakers.voices import VoiceEncoder
from emoscribe.extractors.speech.vad import MARGIN_S, stretches
from scipy.optimize import linear_sum_assignment

PAUSES_S = {"the recordings' silences": (1.5, 2.2), "hardly a pause": (0.05, 0.3)}
NOISE_DB = {"clear": None, "in noise": -15.0}
STEP_S = 0.02


@dataclass(frozen=True)
class Recording:
    """What an actor says, without the silence around it."""

    actor: str
    samples: np.ndarray


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--mixtures", type=int, default=7, help="of each kind")
    given = parser.parse_args()
    recordings, encoder = spoken(given.data), VoiceEncoder(SpeakerSettings(engine="voices"))
    columns = [f"{pause}, {noise}" for pause in PAUSES_S for noise in NOISE_DB]
    print(f"| voices | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}", flush=True)
    for count in (1, 2, 3, 4):
        cells = []
        for pause_s in PAUSES_S.values():
            for noise_db in NOISE_DB.values():
                rng = np.random.default_rng(count)
                mixed = [mixture(rng, recordings, count, pause_s, noise_db) for _ in range(given.mixtures)]
                heard = [(encoder.voiceprints(sound), truth) for sound, truth in mixed]
                found = [judged(truth, turns_of(prints)) for prints, truth in heard]
                known = [judged(truth, turns_of(prints, count))[0] for prints, truth in heard]
                share, right = np.mean(found, axis=0)
                cells.append(f"{share:.2f} ({np.mean(known):.2f}), {right:.2f}")
        print(f"| {count} | {' | '.join(cells)} |", flush=True)


def spoken(data: Path) -> list[Recording]:
    """Every recording, from where speech begins to where it ends."""
    found = []
    for clip in read_corpus(CorpusRequest("ravdess", data)).clips:
        if clip.media is None or clip.speaker is None:
            continue
        with media.sound(clip.media) as sound:
            said = list(stretches(sound))
            if said:
                found.append(Recording(clip.speaker, sound.read(said[0].start_s, said[-1].end_s)))
    return found


def mixture(
    rng: np.random.Generator,
    recordings: Sequence[Recording],
    count: int,
    pause_s: tuple[float, float],
    noise_db: float | None,
) -> tuple[Sound, list[Turn]]:
    """Actors in turn, and who speaks when."""
    actors = rng.choice(sorted({each.actor for each in recordings}), count, replace=False)
    parts: list[np.ndarray] = []
    truth, at_s, levels = [], 0.0, []
    for actor in np.tile(actors, rng.integers(4, 8)):
        own = [each for each in recordings if each.actor == actor]
        samples = own[rng.integers(len(own))].samples
        parts += [samples, np.zeros(round(rng.uniform(*pause_s) * SAMPLE_RATE), np.float32)]
        length_s = len(samples) / SAMPLE_RATE
        truth.append(Turn(at_s + MARGIN_S, at_s + length_s - MARGIN_S, str(actor)))
        at_s += sum(map(len, parts[-2:])) / SAMPLE_RATE
        levels.append((samples**2).mean())
    mixed = np.concatenate(parts)
    if noise_db is not None:
        mixed = mixed + rng.normal(size=len(mixed)) * np.sqrt(np.median(levels) * 10 ** (noise_db / 10))
    raw = (np.clip(mixed, -1, 1) * 32767).astype("<i2").tobytes()
    return Sound(io.BytesIO(raw), len(mixed)), truth


def judged(truth: Sequence[Turn], found: Sequence[Turn]) -> tuple[float, bool]:
    """The share of speech that is given to the right voice, each found one being whoever suits best; and if all are."""
    steps = round(truth[-1].end_s / STEP_S) + 1
    true, given = on_a_grid(truth, steps), on_a_grid(found, steps)
    people, voices = (sorted({name for name in names if name}) for names in (true, given))
    shared = [[sum((true == who) & (given == voice)) for voice in voices] for who in people]
    rows, columns = linear_sum_assignment(shared, maximize=True)
    return np.array(shared)[rows, columns].sum() / sum(true != ""), len(people) == len(voices)


def on_a_grid(turns: Sequence[Turn], steps: int) -> np.ndarray:
    """(T,) who speaks at each step; empty where nobody does."""
    speaking = np.full(steps, "", dtype=object)
    for turn in turns:
        speaking[round(turn.start_s / STEP_S) : round(turn.end_s / STEP_S)] = turn.speaker
    return speaking


if __name__ == "__main__":
    main()
