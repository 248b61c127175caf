"""How right a recogniser's words are, by the probability that it gives them: where `wording.unclear_below` lies.

    python recipes/calibrate_unclear.py --meld DIR [--ravdess DIR] [--lines 450] [--recordings 135] [--seed 0]
        [--engine embedded]

Lines of MELD's train split, spoken by flite and espeak-ng, and recordings of
RAVDESS, in which people say one of two sentences, are heard as they are and in
noise: white, or the babble of six voices, at 20, 10, 5 and 0 dB.  A heard word
is right if that word was said where it stands in the alignment of the two that
has the fewest differences, however it is spelled ("I'll" for "I will").

Prints for bins of probability the words and the share of them that is right,
and the probability below which more words are wrong than right, with an
interval by a bootstrap over the recordings.
"""

from __future__ import annotations

import argparse
import itertools
import random
import re
import shutil
import sys
import tempfile
import wave
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from emoscribe.core.context import Context
from emoscribe.core.errors import EmoscribeError, SettingsError
from emoscribe.corpora.corpus import CorpusRequest
from emoscribe.corpora.registry import read_corpus
from emoscribe.extractors.engines import Engines
from emoscribe.extractors.media import SAMPLE_RATE, sound
from emoscribe.extractors.registry import SpeechEngine, choose
from emoscribe.extractors.settings import SpeechSettings
from emoscribe.extractors.speech.transcribe import transcribe
from spoken import VOICES, aligned, find_synthesiser, speak, words_of

# Noise and how far speech is above it, in dB; each recording is heard in one.
CONDITIONS: tuple[tuple[str, float | None], ...] = (
    ("clean", None),
    *((noise, level_db) for noise in ("white", "babble") for level_db in (20.0, 10.0, 5.0, 0.0)),
)
BABBLE = 6
# Before and after a recording, so that noise does not begin with speech.
AROUND_S = 0.5
BINS = (0.0, 0.1, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1.01)
RESAMPLES = 1000


@dataclass(frozen=True, eq=False)
class Recording:
    """What is said in (N,) samples, and by whom."""

    source: str
    said: str
    samples: np.ndarray


@dataclass(frozen=True, eq=False)
class Judged:
    """The words heard in a recording: (N,) probabilities, and whether they were said; how many words were said."""

    source: str
    noise: str
    probabilities: np.ndarray
    right: np.ndarray
    said: int


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--meld", type=Path, required=True, metavar="DIR")
    parser.add_argument("--ravdess", type=Path, metavar="DIR")
    parser.add_argument("--lines", type=int, default=450)
    parser.add_argument("--recordings", type=int, default=135)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--engine", default="embedded", help="as speech.engine")
    args = parser.parse_args()
    try:
        rng = random.Random(args.seed)
        settings, why = choose("speech", SpeechSettings(engine=args.engine, device="cpu"), Context(offline=True))
        recordings = spoken_lines(args.meld, args.lines, rng)
        babble = [each.samples for each in recordings]
        if args.ravdess is not None:
            recordings += acted_sentences(args.ravdess, args.recordings, rng)
        with Engines(Context(offline=True)) as engines:
            judged = list(judge(recordings, babble, engines.speech(settings), np.random.default_rng(args.seed)))
        print(f"{why}: {len(judged)} recordings")
        report(judged, args.seed)
    except EmoscribeError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


# ── what is said ─────────────────────────────────────────────────────────────


def spoken_lines(meld: Path, count: int, rng: random.Random) -> list[Recording]:
    """Raises:
    SettingsError: there are fewer lines.
    UnavailableError: no synthesiser is installed.
    """
    find_synthesiser(None)
    synthesisers = [name for name in VOICES if shutil.which(name)]
    clips = read_corpus(CorpusRequest("meld", meld, splits=("train",))).clips
    lines = [clip.text for clip in clips if clip.text and words_of(clip.text)]
    if not 1 <= count <= len(lines):
        raise SettingsError(f"--lines must be from 1 to {len(lines)}, got {count}")
    recordings = []
    with tempfile.TemporaryDirectory(prefix="calibrate-unclear-") as folder:
        for line in rng.sample(lines, count):
            synthesiser = rng.choice(synthesisers)
            with sound(speak(line, synthesiser, rng.choice(VOICES[synthesiser]), Path(folder))) as spoken:
                recordings.append(Recording(synthesiser, line, spoken.read(spoken.start_s, spoken.end_s)))
    return recordings


def acted_sentences(ravdess: Path, count: int, rng: random.Random) -> list[Recording]:
    """Raises:
    SettingsError: there are fewer recordings.
    """
    clips = [clip for clip in read_corpus(CorpusRequest("ravdess", ravdess)).clips if clip.media is not None]
    if not 1 <= count <= len(clips):
        raise SettingsError(f"--recordings must be from 1 to {len(clips)}, got {count}")
    recordings = []
    for clip in rng.sample(clips, count):
        with sound(clip.media) as acted:
            samples = acted.read(acted.start_s, acted.end_s)
        recordings.append(Recording("RAVDESS", clip.text or "", samples))
    return recordings


# ── what is heard ────────────────────────────────────────────────────────────


def judge(
    recordings: Sequence[Recording], babble: Sequence[np.ndarray], engine: SpeechEngine, rng: np.random.Generator
) -> Iterator[Judged]:
    """What is heard of each recording, in one condition after another."""
    with tempfile.TemporaryDirectory(prefix="calibrate-unclear-") as folder:
        for number, recording in enumerate(recordings):
            noise, level_db = CONDITIONS[number % len(CONDITIONS)]
            samples = np.pad(recording.samples, round(AROUND_S * SAMPLE_RATE))
            if level_db is not None:
                added = rng.standard_normal(len(samples)) if noise == "white" else babbling(babble, len(samples), rng)
                samples = samples + added * loudness(recording.samples) / loudness(added) / 10 ** (level_db / 20)
            with sound(write_wave(Path(folder) / "heard.wav", samples)) as heard:
                transcript = transcribe(heard, engine)
            words = [(word.text, word.probability) for each in transcript.utterances for word in each.words]
            told = [(text, probability) for text, probability in words if text and probability is not None]
            right = are_right(recording.said, [text for text, _ in told])
            # A dash alone is no word.
            judged = [(probability, so) for (_, probability), so in zip(told, right, strict=True) if so is not None]
            yield Judged(
                recording.source,
                noise,
                np.array([probability for probability, _ in judged], dtype=float),
                np.array([so for _, so in judged], dtype=bool),
                len(spelled_out(recording.said)),
            )
            if (number + 1) % 50 == 0:
                print(f"{number + 1} of {len(recordings)} heard", flush=True)


def babbling(voices: Sequence[np.ndarray], length: int, rng: np.random.Generator) -> np.ndarray:
    """Several voices at once, each from somewhere in what it says, again and again."""
    chosen = [voices[at] / loudness(voices[at]) for at in rng.integers(len(voices), size=BABBLE)]
    return sum((np.resize(np.roll(voice, rng.integers(len(voice))), length) for voice in chosen), np.zeros(length))


def loudness(samples: np.ndarray) -> float:
    return max(float(np.sqrt(np.mean(np.square(samples)))), 1e-6)


def write_wave(path: Path, samples: np.ndarray) -> Path:
    # Room for what noise adds: only the ratio of the two is told.
    samples = samples / max(1.0, float(np.abs(samples).max()))
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return path


# ── whether that is right ────────────────────────────────────────────────────

SPELLINGS = (
    (r"\bwon't\b", "will not"), (r"\bcan(?:'t|not)\b", "can not"), (r"n't\b", " not"), (r"'ll\b", " will"),
    (r"'re\b", " are"), (r"'ve\b", " have"), (r"\bi'm\b", "i am"), (r"\b(it|that|what|he|she|there)'s\b", r"\1 is"),
    (r"\bok\b", "okay"), (r"\bgonna\b", "going to"), (r"\bwanna\b", "want to"), (r"\bgotta\b", "got to"),
    (r"(?<=\w\win)'(?!\w)", "g"), (r"\bmr\b", "mister"), (r"\by'know\b", "you know"),
)  # fmt: skip


def spelled_out(text: str) -> list[str]:
    """The words, each in one of the spellings that it has."""
    text = text.lower().replace("’", "'")
    for pattern, spelling in SPELLINGS:
        text = re.sub(pattern, spelling, text)
    return words_of(text)


def are_right(said: str, heard: Sequence[str]) -> list[bool | None]:
    """Whether each of the words was said; `None` of what is no word, such as a dash."""
    parts = [spelled_out(word) for word in heard]
    pairs = aligned(spelled_out(said), [part for each in parts for part in each])
    matches = iter([word == other for word, other in pairs if other is not None])
    # In another script nothing is spelled out: that was not said.
    return [
        all([next(matches) for _ in each]) if each else False if any(map(str.isalpha, word)) else None
        for word, each in zip(heard, parts, strict=True)
    ]


def threshold(probabilities: np.ndarray, right: np.ndarray) -> float:
    """The probability below which most are wrong and above which most are right, fewest exceptions counted."""
    order = np.argsort(probabilities, kind="stable")
    sorted_probabilities = np.concatenate([probabilities[order], [1.0]])
    # More right than wrong among the first so many.
    lead = np.concatenate([[0], np.cumsum(np.where(right[order], 1, -1))])
    return float(sorted_probabilities[int(lead.argmin())])


def report(judged: Sequence[Judged], seed: int) -> None:
    groups = {
        "all": judged,
        "clean": [each for each in judged if each.noise == "clean"],
        "noise": [each for each in judged if each.noise != "clean"],
        **{source: [each for each in judged if each.source == source] for source in sorted({j.source for j in judged})},
    }
    print("probability " + "".join(f"{name:>18}" for name in groups))
    pooled = {name: (stacked(each, "probabilities"), stacked(each, "right")) for name, each in groups.items()}
    for low, high in itertools.pairwise(BINS):
        cells = []
        for probabilities, right in pooled.values():
            inside = (probabilities >= low) & (probabilities < high)
            cells.append(f"{right[inside].mean():.2f} of {inside.sum():5d}" if inside.any() else "–")
        print(f"{low:.2f} – {min(high, 1.0):.2f} " + "".join(f"{cell:>18}" for cell in cells))
    cells = [f"{threshold(*words):.2f}" for words in pooled.values()]
    print("threshold   " + "".join(f"{cell:>18}" for cell in cells))
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(RESAMPLES):
        sample = [judged[at] for at in rng.integers(len(judged), size=len(judged))]
        drawn.append(threshold(stacked(sample, "probabilities"), stacked(sample, "right")))
    low, high = np.quantile(drawn, [0.025, 0.975])
    print(f"more wrong than right below {threshold(*pooled['all']):.2f} [{low:.2f}, {high:.2f}]")


def stacked(judged: Sequence[Judged], name: str) -> np.ndarray:
    return np.concatenate([getattr(each, name) for each in judged] or [np.zeros(0)])


if __name__ == "__main__":
    sys.exit(main())
