"""The page in a real browser: an example is analysed once, and seen, corrected and taken away."""

from __future__ import annotations

import csv
import io
import json
import re
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import av
import emoscribe
import jsonschema
import openpyxl
import pysubs2
import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Locator, Page, expect
from praatio import textgrid
from pympi import Elan

Visit = Callable[..., Page]

NAME = "tears-to-laughter.mp4"
SCHEMA = Path(emoscribe.__file__).parent / "outputs" / "transcript.schema.json"


@pytest.fixture(scope="module")
def analysed(service: str, browser, example: Path) -> str:
    """The example, uploaded through the page: its job's id.  What is seen meanwhile is seen here."""
    page = browser.new_page()
    page.set_default_timeout(120_000)
    page.goto(service)
    page.set_input_files(".drop input", example)
    expect(page.locator(".queue .job .title")).to_have_text(NAME)
    page.locator(".stages progress").first.wait_for()
    assert 0 <= float(page.locator(".stages progress").first.get_attribute("value") or -1) <= 1
    expect(page.locator(".queue .job button", has_text="Cancel")).to_be_visible()
    # Who was alone in the queue is shown as soon as there is anything.
    page.locator(".result .moment").first.wait_for()
    expect(page.locator(".result h1")).to_have_text(NAME)
    (job,) = page.evaluate("fetch('/api/jobs').then((answer) => answer.json())")
    page.close()
    return job["id"]


@pytest.fixture
def page(service: str, analysed: str, visit: Visit) -> Page:
    """The page with the example's result open, as it was analysed."""
    opened = visit(service)
    opened.evaluate(
        """async (id) => {
            const first = await (await fetch(`/api/jobs/${id}/result.json?original=1`)).text();
            const headers = { "Content-Type": "application/json" };
            await fetch(`/api/jobs/${id}/result`, { method: "PUT", body: first, headers });
        }""",
        analysed,
    )
    opened.locator(f"[data-job='{analysed}'] .open").click()
    opened.locator(".result .moment").first.wait_for()
    opened.wait_for_function("() => document.querySelector('.result video')?.readyState > 0")
    return opened


def now_s(page: Page) -> float:
    return page.evaluate("document.querySelector('.result video').currentTime")


def current(page: Page) -> Locator:
    return page.locator(".moment[aria-current]")


def download(page: Page, label: str) -> Path:
    """What a link of the list of downloads brings."""
    if not page.locator(".downloads[open]").count():
        page.locator(".downloads summary").click()
    # Chromium takes ten in a second and drops the next: nobody clicks as fast as this.
    page.wait_for_timeout(110)
    with page.expect_download() as taken:
        page.locator(".downloads a", has_text=re.compile(f"^{re.escape(label)}$")).click()
    assert taken.value.suggested_filename == f"tears-to-laughter{label}"
    return taken.value.path()


# ── watched ──────────────────────────────────────────────────────────────────


def test_a_click_on_a_lane_a_moment_or_the_minimap_moves_the_player(page: Page) -> None:
    plot = page.get_by_role("slider", name="Emotions over time")
    box = plot.bounding_box()
    assert box is not None
    plot.click(position={"x": box["width"] / 2, "y": 40})
    assert now_s(page) == pytest.approx(19.7 / 2, abs=0.2)
    page.locator(".moment .words", has_text="best day").click()
    assert now_s(page) == pytest.approx(14.4, abs=0.2)
    expect(current(page).locator(".words")).to_contain_text("best day")
    scrubber = page.get_by_role("slider", name="Position in time")
    scrubber.focus()
    page.keyboard.press("Home")
    assert now_s(page) == 0


def test_it_plays_and_the_transcript_goes_along(page: Page) -> None:
    page.get_by_role("button", name="Play", exact=True).click()
    page.wait_for_function("() => document.querySelector('.result video').currentTime > 1")
    expect(current(page).locator(".words")).to_contain_text("I miss him")
    page.get_by_role("button", name="Pause").click()
    before = now_s(page)
    page.wait_for_timeout(200)
    assert now_s(page) == before


def test_every_key_does_what_the_list_says(page: Page) -> None:
    video = "document.querySelector('.result video')"
    # What the button says is what the keys go by.
    play, pause = (page.get_by_role("button", name=name, exact=True) for name in ("Play", "Pause"))
    page.locator("h1", has_text=NAME).click()

    def after(key: str) -> float:
        page.keyboard.press(key)
        return now_s(page)

    assert after("ArrowRight") == pytest.approx(1, abs=0.1)
    assert after("ArrowLeft") == pytest.approx(0, abs=0.1)
    assert after(".") == pytest.approx(1 / 23.98, abs=0.02)
    assert after(",") == pytest.approx(0, abs=0.02)
    # The first moment was passed, and is the chosen one.
    assert after("ArrowDown") == pytest.approx(3.1, abs=0.2)
    assert after("ArrowDown") == pytest.approx(6.3, abs=0.2)
    assert after("ArrowUp") == pytest.approx(3.1, abs=0.2)
    page.keyboard.press("Space")
    expect(pause).to_be_visible()
    page.keyboard.press("Space")
    expect(play).to_be_visible()
    page.keyboard.press("l")
    expect(pause).to_be_visible()
    # What tells of the pause before may come only now.
    page.evaluate(f"{video}.dispatchEvent(new Event('pause'))")
    page.keyboard.press("l")
    page.wait_for_function(f"() => {video}.playbackRate > 1")
    page.keyboard.press("k")
    expect(play).to_be_visible()
    page.keyboard.press("ArrowDown")
    before = now_s(page)
    page.keyboard.press("j")
    page.wait_for_function(f"() => {video}.currentTime < {before}")
    page.keyboard.press("k")
    expect(play).to_be_visible()
    speed = page.get_by_role("combobox", name="Speed")
    page.keyboard.press(">")
    assert float(speed.input_value()) > 1
    page.keyboard.press("<")
    assert float(speed.input_value()) == 1
    repeated = page.get_by_role("button", name="Repeat the moment")
    page.keyboard.press("r")
    expect(repeated).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("r")
    expect(repeated).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("k")
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys")
    expect(dialog).to_contain_text("the moment before, after")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    # Whoever types means letters.
    page.keyboard.press("/")
    at = now_s(page)
    page.keyboard.type("l j.")
    assert now_s(page) == at and page.evaluate(f"{video}.paused")
    expect(page.get_by_role("searchbox")).to_have_value("l j.")


def test_moments_are_searched_and_filtered(page: Page) -> None:
    page.get_by_role("searchbox").fill("hãppy TO see")
    expect(page.locator(".filter .count")).to_have_text("1 of 8")
    page.keyboard.press("Enter")
    expect(current(page).locator(".words")).to_contain_text("happy to see")
    page.get_by_role("searchbox").fill("")
    page.get_by_role("combobox", name="Label").select_option("surprise")
    shown = page.locator(".moment:visible")
    assert {text.split()[0] for text in shown.locator(".scores .read .label").all_inner_texts()} == {"surprise"}


def test_a_signal_can_be_left_out_and_nothing_is_decoded_for_that(page: Page, service: str) -> None:
    scores = page.locator(".moment .scores .read .number")
    before = scores.all_inner_texts()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.removeprefix(service)))
    began = time.monotonic()
    page.get_by_role("checkbox", name="face").uncheck()
    page.wait_for_function(
        "(before) => [...document.querySelectorAll('.moment .scores .read .number')]"
        ".map(each => each.innerText).join() !== before",
        arg=",".join(before),
    )
    page.locator(".tools [aria-busy]").wait_for(state="detached")
    without = scores.all_inner_texts()
    assert without != before and time.monotonic() - began < 5
    assert set(asked) == {"/api/read"}
    expect(page.locator(".chart .name", has_text="voice alone")).to_be_visible()
    page.get_by_role("checkbox", name="face").check()
    expect(scores.first).to_have_text(before[0])
    assert scores.all_inner_texts() == before


# ── corrected, and taken away ────────────────────────────────────────────────


def test_a_label_words_and_a_name_are_corrected_and_found_in_what_is_downloaded(page: Page, tmp_path: Path) -> None:
    page.locator(".moment .words", has_text="come back").click()
    page.keyboard.press("7")
    expect(current(page).locator(".scores .read .label")).to_have_text("anger")
    page.keyboard.press("Enter")
    form = page.get_by_role("form", name="Words, times and speaker")
    form.get_by_label("Words").fill("I thought they would come back.")
    form.get_by_label("Speaker").fill("Ann")
    page.keyboard.press("Enter")
    expect(current(page).locator(".words")).to_have_text("I thought they would come back.")
    page.locator(".who-is-who summary").click()
    page.get_by_role("button", name="Who face 1 is").first.click()
    page.get_by_role("combobox", name="Who face 1 is").fill("Ann")
    page.keyboard.press("Enter")
    page.locator(".moment .words", has_text="Thank you").click()
    page.keyboard.press("m")
    expect(page.locator(".refused")).to_be_visible()
    count = page.locator(".moment").count()
    page.locator(".moment .words", has_text="best day").click()
    page.keyboard.press("m")
    expect(page.locator(".moment")).to_have_count(count - 1)
    page.keyboard.press("Control+z")
    expect(page.locator(".moment")).to_have_count(count)
    expect(page.locator(".how-many")).to_contain_text("1 of")

    kept = json.loads(download(page, ".emoscribe.json").read_text())
    jsonschema.validate(kept, json.loads(SCHEMA.read_text()))
    corrected = [segment for segment in kept["segments"] if segment.get("corrected")]
    assert [(one["label"], one["text"], one["speaker"]) for one in corrected] == [
        ("anger", "I thought they would come back.", "Ann")
    ]
    assert kept["tracks"]["faces"]["people"][0]["speaker"] == "Ann"
    rows = list(csv.DictReader(io.StringIO(download(page, ".csv").read_text())))
    assert ("Ann", "anger") in {(row["speaker"], row["label"]) for row in rows}

    # Opened again, it is as it was left.
    again = tmp_path / "mine.emoscribe.json"
    again.write_text(json.dumps(kept))
    page.set_input_files(".drop input", again)
    expect(page.locator(".result video")).to_have_count(0)
    expect(page.locator(".how-many")).to_contain_text("1 of")


def test_each_download_is_read_by_somebody_else(page: Page) -> None:
    words = "This is the best day of my life."

    def text(label: str) -> str:
        return download(page, label).read_text(encoding="utf-8")

    for label in (".srt", ".vtt", ".ass"):
        assert any(words in event.plaintext for event in pysubs2.SSAFile.from_string(text(label)))
    assert any(words in row["text"] for row in csv.DictReader(io.StringIO(text(".csv"))))
    eaf = Elan.Eaf(str(download(page, ".eaf")))
    assert any(words in str(each) for tier in eaf.get_tier_names() for each in eaf.get_annotation_data_for_tier(tier))
    grid = textgrid.openTextgrid(str(download(page, ".TextGrid")), includeEmptyIntervals=False)
    assert any(words in entry.label for tier in grid.tiers for entry in tier.entries)
    assert any(line.split()[4].lower().startswith("life") for line in text(".ctm").splitlines())
    space = "{http://www.w3.org/2009/10/emotionml}"
    assert {each.get("name") for each in ET.fromstring(text(".emotionml")).iter(f"{space}category")} >= {"joy"}
    sheet = openpyxl.load_workbook(io.BytesIO(download(page, ".xlsx").read_bytes())).worksheets[0]
    assert any(words in str(cell) for row in sheet.iter_rows(values_only=True) for cell in row)
    for label in (".boris.csv", ".people.csv", ".frames.csv", ".openface.csv"):
        assert len(list(csv.reader(io.StringIO(text(label))))) > 1
    assert words in text(".html")
    with av.open(str(download(page, ".labelled.mp4"))) as film:
        assert len(film.streams.video) == 1 and len(film.streams.subtitles) == 1


def test_what_a_format_cannot_hold_is_said_and_not_downloaded(service: str, analysed: str, visit: Visit) -> None:
    """Nobody is told apart in the example, so that there are no turns to write."""
    page = visit(service, refused=True)
    page.locator(f"[data-job='{analysed}'] .open").click()
    page.locator(".downloads summary").click()
    page.locator(".downloads a", has_text=".rttm").click()
    expect(page.locator(".alert")).to_contain_text("speaker")


def test_what_is_said_is_text(page: Page, tmp_path: Path, analysed: str) -> None:
    """Markup in words, names and labels of a result is shown, and does nothing."""
    joke = "<img src=x onerror=\"throw 'run'\"><script>throw 'run'</script>"
    kept = page.evaluate("(id) => fetch(`/api/jobs/${id}/result.json`).then((answer) => answer.json())", analysed)
    for segment in kept["segments"]:
        segment |= {"text": joke, "speaker": joke, "face": joke, "voice": joke}
    hostile = tmp_path / "hostile.json"
    hostile.write_text(json.dumps(kept))
    page.set_input_files(".drop input", hostile)
    expect(page.locator(".moment .words").first).to_have_text(joke)
    assert page.locator("main img, main script").count() == 0


def test_what_was_read_is_compared_with_what_a_person_made_of_it(page: Page) -> None:
    page.locator(".moment .words", has_text="come back").click()
    page.keyboard.press("7")
    expect(page.locator(".saved")).to_have_text("corrections are kept")
    page.get_by_role("link", name="Compare").click()
    expect(page.locator("#compare select").nth(1).locator("option:checked")).to_contain_text("corrected")
    expect(page.locator("#compare .agreement")).to_contain_text("kappa")
    differing = page.locator("#compare").get_by_text("anger")
    expect(differing.first).to_be_visible()
    plot = page.get_by_role("slider", name="Two readings over time")
    box = plot.bounding_box()
    assert box is not None
    plot.click(position={"x": box["width"] / 2, "y": 20})
    page.wait_for_function("() => document.querySelector('#compare video').currentTime > 9")


# ── beside it ────────────────────────────────────────────────────────────────


def test_a_job_that_is_called_off_is_gone_within_a_second(service: str, visit: Visit, example: Path) -> None:
    page = visit(service)
    page.set_input_files(".drop input", example)
    row = page.locator(".queue .job.running").first
    row.locator(".stages li", has_text="looking").wait_for()
    with page.expect_response(lambda answer: answer.request.method == "DELETE") as answered:
        row.get_by_role("button").last.click()
    assert answered.value.status == 204
    answered.value.finished()
    assert answered.value.request.timing["responseEnd"] < 1000


def test_text_is_read_as_it_is_typed(service: str, visit: Visit) -> None:
    page = visit(service, at="/#text")
    area = page.get_by_role("textbox", name="Text to read")
    area.press_sequentially("I am so happy!", delay=5)
    expect(page.locator(".lines .scores .read .label")).to_have_text(["joy"])
    area.fill("I am so happy!\nLeave me alone, I hate you!")
    expect(page.locator(".lines .scores .read .label")).to_have_text(["joy", "anger"])


def test_settings_are_kept_as_a_preset(service: str, visit: Visit) -> None:
    page = visit(service)
    labels = page.locator("select[name=labels]")
    page.locator(".how summary").click()
    labels.select_option("compound")
    page.get_by_label("Name of the preset").fill("mixed")
    page.get_by_role("button", name="Keep").click()
    page.reload()
    page.locator(".how summary").click()
    expect(labels).to_have_value("")
    page.get_by_label("Preset", exact=True).select_option("mixed")
    expect(labels).to_have_value("compound")


@pytest.mark.parametrize(("scheme", "views"), [("light", ("videos", "live", "text", "compare")), ("dark", ("videos",))])
def test_nothing_shuts_anybody_out(
    service: str, analysed: str, visit: Visit, scheme: str, views: tuple[str, ...]
) -> None:
    """What axe calls serious or critical, on each view."""
    page = visit(service, color_scheme=scheme)
    page.locator(f"[data-job='{analysed}'] .open").click()
    page.locator(".moment").first.click()
    page.evaluate(AXE_SCRIPT)
    found = []
    for view in views:
        page.evaluate("(view) => { location.hash = view; }", view)
        page.locator(f"#{view}").wait_for()
        answer = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
        found += [
            f"{view}: {each['id']} at {each['nodes'][0]['target']}: {each['nodes'][0]['failureSummary']}"
            for each in answer["violations"]
            if each["impact"] in ("serious", "critical")
        ]
    assert found == []


def test_a_telephone_shows_all_of_it(service: str, analysed: str, visit: Visit) -> None:
    page = visit(service, viewport={"width": 380, "height": 740}, has_touch=True)
    page.locator(f"[data-job='{analysed}'] .open").click()
    page.locator(".moment").first.wait_for()
    for view in ("videos", "live", "text", "compare"):
        page.evaluate("(view) => { location.hash = view; }", view)
        page.locator(f"#{view}").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= 380, view
