"""A table of people: how long each was seen and spoke, and what they showed."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..core.timeline import LabelledTranscript, Moment, Segment
from .tables import Cell, Sheet, as_csv, video_of
from .tiers import utterances_of
from .tracks import name_of, people_in


def people_csv(transcript: LabelledTranscript, folder: Path) -> str:
    """One row a person."""
    return as_csv(people_of(transcript))


def people_of(transcript: LabelledTranscript) -> Sheet:
    """One row a person: who speaks, in the order of speaking, and whose face is followed, as `person 1`, `person 2`, …
    where they are not known to speak.

    A moment is its speaker's, or, of one without, the person's whose face is
    most prominent in it.  Shares and means are over the time of a person's
    moments that are read as something (`judged_s`); of labels that are given in any number,
    shares may sum to more than 1.  What is unknown is empty.
    """
    followed = people_in(transcript)
    names = {each["person"]: name_of(each) for each in followed}
    faces: dict[str, list[Mapping[str, Any]]] = {}
    for each in followed:
        faces.setdefault(names[each["person"]], []).append(each)
    speech: dict[str, list[tuple[float, float]]] = {}
    for said in utterances_of(transcript):
        if said.speaker:
            speech.setdefault(said.speaker, []).append((said.start_s, said.end_s))
    judged: dict[str, list[Segment]] = {}
    for segment in transcript.segments:
        if segment.judged and (person := _person(segment.moment, names)):
            judged.setdefault(person, []).append(segment)
    seen_s = _seen_s(faces)
    # That a face is silent is known where others are seen talking.
    silent_s = 0.0 if faces.keys() & speech.keys() else None
    video = video_of(transcript)
    rows = [
        {
            "video": video,
            "person": person,
            "seen_s": _places(seen_s.get(person), 2),
            "speaking_s": _places(_total_s(speech[person]) if person in speech else silent_s, 2),
            **_judged(judged.get(person, []), transcript),
            "blinks_per_min": _places(_blinks_per_min(faces.get(person, []), seen_s.get(person)), 1),
        }
        for person in dict.fromkeys([*speech, *faces, *judged])
    ]
    return Sheet(_columns(transcript), rows)


def _columns(transcript: LabelledTranscript) -> list[str]:
    about = ["video", "person", "seen_s", "speaking_s", "judged_s"]
    if transcript.range is not None:
        return [*about, "mean_rating", "blinks_per_min"]
    answers = [f"{what}_{label}" for what in ("share", "mean") for label in transcript.labels]
    return [*about, "dominant", *answers, "blinks_per_min"]


def _person(moment: Moment, names: Mapping[int, str]) -> str | None:
    """Whose it is: the speaker's, or else whose face is most prominent."""
    return moment.speaker or next((names.get(person, f"person {person}") for person in moment.faces), None)


def _judged(segments: Sequence[Segment], transcript: LabelledTranscript) -> dict[str, Cell]:
    """How long somebody is judged, and as what."""
    weights = np.array([each.moment.end_s - each.moment.start_s for each in segments])
    row: dict[str, Cell] = {"judged_s": (float(weights.sum()), 2)}
    if not segments:
        return row
    if not weights.any():
        weights = np.ones(len(segments))  # a picture has no time
    weights = weights / weights.sum()
    if transcript.range is not None:
        return row | {"mean_rating": (float(weights @ [each.rating or 0.0 for each in segments]), 4)}
    shares, means = {}, {}
    for label in transcript.labels:
        given = [label in (each.given if each.given is not None else (each.label,)) for each in segments]
        shares[label] = float(weights @ given)
        means[label] = float(weights @ [each.scores[label] for each in segments])
    dominant = max(transcript.labels, key=lambda label: (shares[label], means[label]))
    row |= {f"share_{label}": (share, 4) for label, share in shares.items()}
    row |= {f"mean_{label}": (mean, 4) for label, mean in means.items()}
    return row | {"dominant": dominant}


# ── how long ─────────────────────────────────────────────────────────────────


def _seen_s(faces: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, float]:
    """Each frame with a face stands for the time to the next frame, as often as anybody is looked at."""
    followed = [face["times_s"] for own in faces.values() for face in own]
    steps_s = [after - before for times_s in followed for before, after in itertools.pairwise(times_s)]
    if not steps_s:
        return {}
    step_s = float(np.median(steps_s))
    return {name: step_s * sum(len(face["times_s"]) for face in own) for name, own in faces.items()}


def _total_s(stretches: Iterable[tuple[float, float]]) -> float:
    """How long they last together, what overlaps once."""
    total_s = until_s = 0.0
    for start_s, end_s in sorted(stretches):
        total_s += max(end_s - max(start_s, until_s), 0.0)
        until_s = max(until_s, end_s)
    return total_s


def _blinks_per_min(faces: Sequence[Mapping[str, Any]], seen_s: float | None) -> float | None:
    blinks = [face.get("blinks_s") for face in faces]
    if not seen_s or None in blinks:
        return None
    return 60 * sum(map(len, filter(None, blinks))) / seen_s


def _places(value: float | None, places: int) -> Cell:
    return None if value is None else (value, places)
