"""A session loads each engine once, whatever the number of files; a new engine is one file and one entry."""

from __future__ import annotations

import sys
import textwrap
from collections import Counter
from pathlib import Path

import emoscribe
import numpy as np
import pytest
from click.testing import CliRunner
from emoscribe.cli import main
from emoscribe.core.context import Context
from emoscribe.core.errors import EmoscribeError, SettingsError
from emoscribe.core.settings import load
from emoscribe.extractors import registry
from emoscribe.extractors.engines import Engines
from emoscribe.extractors.perceive import perceive
from emoscribe.extractors.settings import FaceSettings, PerceiveSettings, SpeechSettings, VoiceSettings
from emoscribe.extractors.sources import FileSource
from emoscribe.extractors.store import CueStore
from emoscribe.llm.plan import make_plan
from emoscribe.llm.settings import AnalyzeSettings
from emoscribe.pipeline import Session, context_for, open_session

EMBEDDED = PerceiveSettings(
    speech=SpeechSettings(engine="pocketsphinx", model="en-us", language="en", device="cpu"),
    face=FaceSettings(engine="landmarker", sampling_fps=2.0, device="cpu"),
)


# ── nothing is loaded twice ──────────────────────────────────────────────────


def test_engines_load_once_whatever_the_number_of_files(example: Path, feat_media: Path) -> None:
    with open_session("embedded", face__sampling_fps=2.0) as session:
        first = session.analyze(example)
        assert session.engines.loads == Counter(
            {
                ("speech", "faster-whisper"): 1,
                ("face", "landmarker"): 1,
                ("voice", "opensmile"): 1,
                ("speakers", "voices"): 1,
            }
        )
        with pytest.raises(EmoscribeError, match=r"no file nowhere\.mp4"):
            session.analyze("nowhere.mp4")
        still = session.analyze(feat_media / "single_face.jpg")
        again = session.analyze(example)
        assert set(session.engines.loads.values()) == {1}
    assert len(still.segments) == 1
    # What was heard and seen between colours nothing: a decoder gets used to how a recording sounds.
    assert [segment.moment for segment in again.segments] == [segment.moment for segment in first.segments]
    assert [segment.scores for segment in again.segments] == [segment.scores for segment in first.segments]


def test_a_changed_setting_reloads_only_what_it_touches(example: Path) -> None:
    with Engines(Context(offline=True)) as engines:

        def loads(settings: PerceiveSettings) -> dict[str, int]:
            perceive(FileSource(example, 0.0, 3.0), settings, engines)
            return {kind: count for (kind, _), count in engines.loads.items()}

        assert loads(EMBEDDED) == {"speech": 1, "face": 1, "voice": 1}
        oftener = EMBEDDED.face.model_copy(update={"sampling_fps": 4.0})
        assert loads(EMBEDDED.model_copy(update={"face": oftener})) == {"speech": 1, "face": 1, "voice": 1}
        fewer = EMBEDDED.face.model_copy(update={"max_faces": 1})
        assert loads(EMBEDDED.model_copy(update={"face": fewer})) == {"speech": 1, "face": 2, "voice": 1}
        shorter = VoiceSettings(min_utterance_s=0.2)
        assert loads(EMBEDDED.model_copy(update={"face": fewer, "voice": shorter}))["voice"] == 2


def test_what_a_store_has_loads_nothing(example: Path, tmp_path: Path) -> None:
    context = Context(offline=True, store=CueStore(tmp_path))
    with Engines(context) as engines:
        first = perceive(FileSource(example, store=context.store), EMBEDDED, engines, context)
    with Engines(context) as engines:
        again = perceive(FileSource(example, store=context.store), EMBEDDED, engines, context)
        assert not engines.loads
    assert again.transcript == first.transcript and again.face is not None and first.face is not None
    assert again.face.scale == first.face.scale
    assert np.array_equal(again.face.action_units, first.face.action_units)


def test_a_stretch_of_a_file_has_the_files_times(example: Path) -> None:
    settings = EMBEDDED.model_copy(update={"modalities": "TVA"})
    with Engines(Context(offline=True)) as engines:
        whole = perceive(FileSource(example), settings, engines)
        part = perceive(FileSource(example, 5.9, 11.0), settings, engines)
    assert whole.transcript and part.transcript and whole.face and part.face
    inside = [u for u in whole.transcript.utterances if u.start_s > 5.9 and u.end_s < 11.0]
    assert len(inside) == len(part.transcript.utterances) == 2
    for one, other in zip(part.transcript.utterances, inside, strict=True):
        assert (one.start_s, one.end_s) == pytest.approx((other.start_s, other.end_s), abs=0.07)
    assert part.face.frame_times_s.min() >= 5.9 and part.face.frame_times_s.max() < 11.0
    shared = np.isin(part.face.times_s, whole.face.times_s)
    assert shared.sum() > 5
    with pytest.raises(SettingsError, match=r"lasts 19\.69 s: there is no stretch from 25 to its end s"):
        FileSource(example, 25.0)


# ── one file and one entry ───────────────────────────────────────────────────

SPEECH = '''
"""A recogniser that hears the same word in every stretch of speech."""
from emoscribe.core.timeline import Utterance, Word
from emoscribe.extractors.registry import EngineSpec, Need

class Parrot:
    source, language = "parrot", "en"

    def __init__(self, settings, context):
        pass

    def hear(self, sound, stretches):
        for one in stretches:
            yield Utterance(one.start_s, one.end_s, "hello", words=(Word(one.start_s, one.end_s, "hello", 1.0),))

SPEC = EngineSpec(
    kind="speech", name="parrot", about="says hello", needs=lambda settings: [Need("a perch", "there is none")],
    describe=lambda settings: {"version": "1"}, load=Parrot,
)
'''
FACE = '''
"""Sees one smiling face in the middle of every picture."""
import numpy as np
from emoscribe.core.measures import UnitScale
from emoscribe.extractors.face.track import Face, Seen, Vocabulary
from emoscribe.extractors.registry import EngineSpec, Need

class Smiler:
    vocabulary = Vocabulary("smiler", ("AU12",), UnitScale((0.2, 0.4, 0.6)))

    def see(self, frames):
        for frame in frames:
            height, width = frame.image.shape[:2]
            box = np.array([width / 4, height / 4, width * 3 / 4, height * 3 / 4])
            yield Seen(frame.time_s, [Face(box, np.array([0.5]), np.zeros(3), np.full(512, 512**-0.5))])

SPEC = EngineSpec(
    kind="face", name="smiler", about="sees smiles", needs=lambda settings: [Need("a mirror")],
    describe=lambda settings: {"version": "1"}, load=lambda settings, context: Smiler(),
    complete=lambda settings, context: settings.model_copy(update={"sampling_fps": 2.0}),
)
'''
VOICE = '''
"""Finds every voice to be of the same pitch."""
import numpy as np
from emoscribe.core.timeline import VoiceTrack
from emoscribe.extractors.registry import EngineSpec, Need

class Tuned:
    def measure(self, sound, transcript):
        said = transcript.utterances
        return VoiceTrack(
            ("pitch_hz",), np.array([u.start_s for u in said]), np.array([u.end_s for u in said]),
            tuple(u.speaker for u in said), np.full((len(said), 1), 300.0),
        )

SPEC = EngineSpec(
    kind="voice", name="tuned", about="hears 300 Hz", needs=lambda settings: [Need("a fork")],
    describe=lambda settings: {"version": "1"}, load=lambda settings, context: Tuned(),
)
'''


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three engines of somebody else's: a file and an entry each."""
    monkeypatch.syspath_prepend(str(tmp_path))
    for kind, name, code in (("speech", "parrot", SPEECH), ("face", "smiler", FACE), ("voice", "tuned", VOICE)):
        (tmp_path / f"engine_{name}.py").write_text(textwrap.dedent(code))
        monkeypatch.setitem(registry.ENGINES[kind], name, f"engine_{name}")
        monkeypatch.delitem(sys.modules, f"engine_{name}", raising=False)


def test_an_added_engine_is_known_to_doctor_help_and_errors(added: None, tmp_path: Path) -> None:
    told = CliRunner().invoke(main, ["doctor", "--offline"]).stdout
    for kind, name in (("speech", "parrot"), ("face", "smiler"), ("voice", "tuned")):
        assert f"✓ {kind:8} {name}" in told
    help_text = CliRunner().invoke(main, ["analyze", "--help"]).stdout
    assert all(name in help_text for name in ("parrot", "smiler", "tuned", "pocketsphinx"))
    for kind, name in (("speech", "parrot"), ("face", "smiler"), ("voice", "tuned")):
        with pytest.raises(
            SettingsError, match=f"{kind}.engine: there is no such engine; there are: .*{name}.*'nobody'"
        ):
            load(AnalyzeSettings, "embedded", [f"{kind}.engine=nobody"])
    config = tmp_path / "mine.yaml"
    config.write_text("speech: {engine: parrot}\nface: {engine: smiler}\nvoice: {engine: tuned}\n")
    lines = CliRunner().invoke(main, ["doctor", str(config)])
    assert lines.exit_code == 1
    assert lines.stdout.splitlines()[:3] == ["✗ a perch: there is none", "✓ a mirror", "✓ a fork"]


def test_an_added_engine_perceives_from_a_file_to_the_words(added: None, example: Path) -> None:
    mine = ["speech.engine=parrot", "face.engine=smiler", "voice.engine=tuned"]
    settings = load(AnalyzeSettings, "embedded", mine)
    context = context_for(settings)
    with Session(make_plan(settings, context), context) as session:
        transcript = session.analyze(example)
    said = [segment.moment for segment in transcript.segments if segment.moment.text]
    assert {moment.text for moment in said} == {"hello"}
    assert {moment.face for moment in said} == {"lip corner puller (smile)"}
    # Each sounds like all the others.
    assert {moment.voice for moment in said} == {"an even, medium voice"}
    made_by = {part: transcript.provenance[part]["engine"] for part in ("speech", "face", "voice")}
    assert made_by == {"speech": "parrot", "face": "smiler", "voice": "tuned"}


def test_analyze_is_a_session_of_its_own(feat_media: Path) -> None:
    assert len(emoscribe.analyze(feat_media / "single_face.jpg", config="embedded", modalities="V").segments) == 1
