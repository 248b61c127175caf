"""What a recogniser's mistakes cost: lines of MELD read as they were written, and as they were heard.

    python recipes/heard_lines.py --meld DIR --out DIR [--lines 300] [--seed 0] [--run meld-minilm]
        [--synthesiser espeak-ng]

Lines of the dev split with three words or more, with the labels in the
proportions that they have there, are spoken by a synthesiser (each person of
the series in a voice of their own), heard by the embedded recogniser, and read
by the run; where the run reads preceding turns, those are heard as well.
Prints the word error rate and weighted F1 of the lines as written, as a
recogniser would write them if it heard every word, and as heard.

A synthesiser is clearer than people in one way and stranger in another, so the
error rate is that of a voice, not of the recogniser: espeak-ng's voices are
calculated and hard to understand, flite's are cut from recordings and easy.
What was heard is in `heard.jsonl` and is not heard again.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from emoscribe.core.context import Context
from emoscribe.core.errors import EmoscribeError, SettingsError
from emoscribe.core.files import make_folder, write_text
from emoscribe.core.labels import BASIC
from emoscribe.core.prompt import Prompt, Scored
from emoscribe.core.timeline import Clip, Moment, Word
from emoscribe.corpora.corpus import CorpusRequest
from emoscribe.corpora.registry import read_corpus
from emoscribe.evaluation.metrics import confusion, weighted_f1
from emoscribe.extractors.engines import Engines
from emoscribe.extractors.media import sound
from emoscribe.extractors.registry import SpeechEngine, choose
from emoscribe.extractors.settings import EMBEDDED_SPEECH
from emoscribe.extractors.speech.transcribe import transcribe
from emoscribe.llm.predictors import load
from emoscribe.llm.run import TextRun, find_run
from emoscribe.prompts.render import render
from emoscribe.textualize.moments import UNCLEAR, clear_text
from spoken import VOICES, distance, find_synthesiser, speak, words_of

SPLIT = "dev"
MIN_WORDS = 3


@dataclass(frozen=True)
class Heard:
    """A line as the recogniser heard it, with how sure it was of each word."""

    id: str
    synthesiser: str
    voice: str
    recogniser: str
    said: str
    words: tuple[tuple[str, float | None], ...]

    def text(self, unclear_below: float = 0.0) -> str:
        return clear_text((Word(0.0, 0.0, word, probability) for word, probability in self.words), unclear_below)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--meld", type=Path, required=True, metavar="DIR")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--lines", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--run", default="meld-minilm", help="a run folder or a shipped adapter's name")
    parser.add_argument("--synthesiser", choices=tuple(VOICES), help="the first of these that is installed")
    args = parser.parse_args()
    try:
        run = run_for_meld(args.run)
        synthesiser = find_synthesiser(args.synthesiser)
        clips = read_corpus(CorpusRequest("meld", args.meld, splits=(SPLIT,))).clips
        lines = with_turns(chosen(clips, args.lines, args.seed), clips, run.prompt.turns_before)
        settings, _ = choose("speech", EMBEDDED_SPEECH, Context(offline=True))
        with Engines(Context(offline=True)) as engines:
            kept = make_folder(args.out) / "heard.jsonl"
            heard = hear(lines, voices(clips, synthesiser), synthesiser, kept, engines.speech(settings))
        report(run, lines, heard)
    except EmoscribeError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


# ── which lines, in whose voice ──────────────────────────────────────────────


def chosen(clips: Sequence[Clip], count: int, seed: int) -> list[Clip]:
    """`count` of the clips at random, labels in the proportions that they have among those long enough.

    Raises:
        SettingsError: fewer are long enough.
    """
    by_label: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        if len(words_of(clip.text or "")) >= MIN_WORDS:
            by_label[str(clip.target)].append(clip)
    total = sum(map(len, by_label.values()))
    if not 1 <= count <= total:
        raise SettingsError(f"--lines must be from 1 to {total}, the lines of {MIN_WORDS} words or more, got {count}")
    shares = {label: count * len(of_label) / total for label, of_label in sorted(by_label.items())}
    quota = {label: int(share) for label, share in shares.items()}
    # What rounding down leaves goes where it took most.
    for label in sorted(shares, key=lambda label: quota[label] - shares[label])[: count - sum(quota.values())]:
        quota[label] += 1
    rng = random.Random(seed)
    return [clip for label, number in quota.items() for clip in rng.sample(by_label[label], number)]


def with_turns(lines: Sequence[Clip], clips: Sequence[Clip], count: int) -> list[list[Clip]]:
    """Each line behind the turns before it in its dialogue, as many as are read."""
    dialogues: dict[str | None, list[Clip]] = defaultdict(list)
    for clip in clips:
        dialogues[clip.dialogue].append(clip)
    windows = []
    for line in lines:
        turns = dialogues[line.dialogue]
        at = turns.index(line)
        windows.append(turns[max(0, at - count) : at + 1])
    return windows


def voices(clips: Sequence[Clip], synthesiser: str) -> dict[str | None, str]:
    """A voice for each speaker; those who say most get different ones."""
    lines: dict[str | None, int] = defaultdict(int)
    for clip in clips:
        lines[clip.speaker] += 1
    ranked = sorted(lines, key=lambda speaker: (-lines[speaker], speaker or ""))
    there = VOICES[synthesiser]
    return {speaker: there[rank % len(there)] for rank, speaker in enumerate(ranked)}


# ── spoken and heard ─────────────────────────────────────────────────────────


def hear(
    windows: Sequence[Sequence[Clip]],
    voice_of: Mapping[str | None, str],
    synthesiser: str,
    path: Path,
    engine: SpeechEngine,
) -> dict[str, Heard]:
    """What is heard of each clip in the windows, by its id; a line in `path` as soon as it is heard."""
    clips = list({clip.id: clip for window in windows for clip in window}.values())
    known = {(each.id, each.synthesiser, each.voice, each.recogniser): each for each in read_heard(path)}
    heard: dict[str, Heard] = {}
    with tempfile.TemporaryDirectory(prefix="heard-lines-") as folder, path.open("a", encoding="utf-8") as file:
        for number, clip in enumerate(clips, start=1):
            voice = voice_of[clip.speaker]
            each = known.get((clip.id, synthesiser, voice, engine.source))
            if each is None:
                words = tuple(spoken_and_heard(clip.text or "", synthesiser, voice, Path(folder), engine))
                each = Heard(clip.id, synthesiser, voice, engine.source, clip.text or "", words)
                file.write(json.dumps(asdict(each), ensure_ascii=False) + "\n")
                file.flush()
                if number % 25 == 0:
                    print(f"{number} of {len(clips)} heard", flush=True)
            heard[clip.id] = each
    return heard


def read_heard(path: Path) -> list[Heard]:
    """What was heard before.  A line that was cut short when the recipe was stopped is taken out of the file."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        write_text(path, whole)
    rows = [json.loads(line) for line in whole.split("\n")[:-1]]
    return [Heard(**{**row, "words": tuple((word, probability) for word, probability in row["words"])}) for row in rows]


def spoken_and_heard(
    text: str, synthesiser: str, voice: str, folder: Path, engine: SpeechEngine
) -> Iterator[tuple[str, float | None]]:
    """The words that are heard, each with the recogniser's probability."""
    with sound(speak(text, synthesiser, voice, folder)) as samples:
        transcript = transcribe(samples, engine)
    for utterance in transcript.utterances:
        for word in utterance.words:
            yield word.text, word.probability


# ── read ─────────────────────────────────────────────────────────────────────


def run_for_meld(name: str) -> TextRun:
    """Raises:
    SettingsError: there is no such run, or it lacks a label of MELD's.
    """
    run = find_run(name)
    if missing := [label for label in BASIC.labels if label not in run.labels]:
        raise SettingsError(f"--run {name} cannot answer {missing[0]!r}; its labels: {', '.join(run.labels)}")
    return run


def report(run: TextRun, windows: Sequence[Sequence[Clip]], heard: Mapping[str, Heard]) -> None:
    unclear_below = run.wording.unclear_below
    written = {clip.id: clip.text or "" for window in windows for clip in window}
    # Some recognisers write no punctuation, others no "!", which costs something by itself.
    bare = {id: " ".join(words_of(text)) for id, text in written.items()}
    understood = {id: each.text(unclear_below) for id, each in heard.items()}
    predictor = load(run)
    true = [str(window[-1].target) for window in windows]
    scores = [
        f1_of(run, true, predictor.predict([prompt(run, window, texts) for window in windows]))
        for texts in (written, bare, understood)
    ]
    lines = [heard[window[-1].id] for window in windows]
    errors = sum(distance(words_of(each.said), words_of(each.text())) for each in lines)
    doubted = [
        probability < unclear_below for each in lines for _, probability in each.words if probability is not None
    ]
    print(
        f"{len(windows)} lines of MELD {SPLIT}, spoken by {lines[0].synthesiser}, heard by {lines[0].recogniser}, "
        f"read by {run.name}"
    )
    print(f"word error rate                    {errors / sum(len(words_of(each.said)) for each in lines):.3f}")
    print(f"words heard as {UNCLEAR}           {np.mean(doubted):.3f}")
    print(f"weighted F1, as written            {scores[0]:.3f}")
    print(f"weighted F1, without punctuation   {scores[1]:.3f}")
    print(f"weighted F1, as heard              {scores[2]:.3f}")


def prompt(run: TextRun, window: Sequence[Clip], texts: Mapping[str, str]) -> Prompt:
    moments = [Moment(float(at), at + 1.0, clip.speaker, texts[clip.id]) for at, clip in enumerate(window)]
    return render(moments, len(window) - 1, run.prompt, id=window[-1].id, labels=run.labels)


def f1_of(run: TextRun, true: Sequence[str], scored: Sequence[Scored]) -> float:
    truth, answers = ([run.labels.index(label) for label in labels] for labels in (true, [s.label for s in scored]))
    return float(weighted_f1(confusion(np.array(truth), np.array(answers), len(run.labels))))


if __name__ == "__main__":
    sys.exit(main())
