"""Train the adapter that ships: MiniLM reading text, face words, voice words, or any of them.

    python recipes/train_meld_minilm.py --words WORDS --norms norms.json --out RUN [--seed N] [--epochs N] [--text-only]

WORDS is what `corpus_words.py` wrote, and `mixture.py` says what is made of it.
People, actors and lines that the adapter is judged by are not trained on.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import fmean
from typing import Literal

from emoscribe.core.files import read_json
from emoscribe.core.labels import BASIC
from emoscribe.core.runs import Base, Extractors, Run, save_run
from emoscribe.core.settings import FaceSettings, SpeechSettings, VoiceSettings, WordingSettings
from emoscribe.core.timeline import Scored
from emoscribe.core.weights import find_base, weights_sha256
from emoscribe.llm.reader import load_reader
from emoscribe.llm.score import score
from emoscribe.llm.train import Example, TrainingSettings, fit
from mixture import PROMPT, SILENT, Corpora, every_signal, example, read_corpora, text_alone

BASE = "sentence-transformers/all-MiniLM-L6-v2"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=Path, required=True)
    parser.add_argument("--norms", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--text-only", action="store_true", help="MELD's lines alone, to compare with")
    args = parser.parse_args()

    train, held_out = read_corpora(args.words)
    run = Run(
        folder=args.out,
        norms=read_json(args.norms),
        base=Base(id=BASE, sha256=weights_sha256(find_base(BASE))),
        label_set=BASIC.name,
        labels=BASIC.labels,
        prompt=PROMPT,
        wording=WordingSettings(),
        extractors=Extractors(
            speech=SpeechSettings(engine="pocketsphinx"),
            face=FaceSettings(engine="mediapipe", sampling_fps=5),
            voice=VoiceSettings(),
        ),
        licence="research only: see LICENSE.md",
        training={"data": "MELD train" if args.text_only else "MELD train, faces, RAVDESS actors 1-15"},
    )
    mixture: Callable[[Corpora, random.Random], list[Example]] = text_alone if args.text_only else every_signal
    tests = tests_of(held_out)
    selecting = [test for test in tests if test.selects and not (args.text_only and "text" not in test.name)]
    run = fit(
        run,
        lambda epoch: mixture(train, random.Random(1000 * args.seed + epoch)),
        [each for test in selecting for each in test.examples],
        TrainingSettings(seed=args.seed, epochs=args.epochs),
        judge=mean_over(selecting),
        report=lambda line: print(line, flush=True),
    )
    reader = load_reader(run)
    scores = {
        f"{test.name}: {test.measure}": round(measured(test, score(reader, [e.prompt for e in test.examples])), 4)
        for test in tests
    }
    save_run(run.model_copy(update={"metrics": {**run.metrics, "dev": scores}}))
    print(json.dumps(scores, indent=2))


# ── how it is judged ─────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Test:
    """Held-out examples of one kind, and the measure that counts for them."""

    name: str
    examples: Sequence[Example]
    measure: Literal["weighted F1", "balanced accuracy"]
    selects: bool = False


def tests_of(held_out: Corpora) -> list[Test]:
    lines = held_out.lines
    voices = [voice for heard in held_out.voices.values() for voice in heard]
    # Too few held-out faces of fear to say anything.
    faces = [(label, words) for label, seen in held_out.faces.items() if label != "fear" for words in seen]
    return [
        Test("MELD dev, text", [example(each.label, text=each.text) for each in lines], "weighted F1", True),
        Test(
            "MELD dev, text and voice",
            [example(each.label, text=each.text, voice=each.voice) for each in lines],
            "weighted F1",
        ),
        Test(
            "faces of people held out",
            [example(label, face=words) for label, words in faces],
            "balanced accuracy",
            True,
        ),
        Test(
            "faces of people held out, silent",
            [example(label, text="", face=words, voice=SILENT) for label, words in faces],
            "balanced accuracy",
        ),
        Test(
            "RAVDESS 16-18, own norms",
            [example(each.label, voice=each.own) for each in voices],
            "balanced accuracy",
            True,
        ),
        Test(
            "RAVDESS 16-18, population norms",
            [example(each.label, voice=each.population) for each in voices],
            "balanced accuracy",
        ),
        Test(
            "RAVDESS 16-18, own norms and text",
            [example(each.label, text=each.text, voice=each.own) for each in voices],
            "balanced accuracy",
        ),
    ]


def measured(test: Test, scored: Sequence[Scored]) -> float:
    from sklearn.metrics import f1_score, recall_score

    true, predicted = [each.label for each in test.examples], [each.label for each in scored]
    if test.measure == "weighted F1":
        return float(f1_score(true, predicted, average="weighted", zero_division=0))
    return float(recall_score(true, predicted, average="macro", labels=sorted(set(true)), zero_division=0))


def mean_over(tests: Sequence[Test]) -> Callable[[Sequence[Example], Sequence[Scored]], float]:
    """A judge of the tests' examples in a row: the mean of their measures."""

    def judge(_: Sequence[Example], scored: Sequence[Scored]) -> float:
        remaining = iter(scored)
        return fmean(measured(test, list(islice(remaining, len(test.examples)))) for test in tests)

    return judge


if __name__ == "__main__":
    main()
