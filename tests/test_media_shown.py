"""What a player shows is what is analysed: orientation, the shape of pixels, tones, sizes that change."""

from __future__ import annotations

import gc
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from emoscribe.core.errors import MediaError
from emoscribe.extractors.media import frames, probe
from PIL import Image

RED, GREEN, BLUE, GREY = (220, 20, 20), (20, 200, 20), (20, 20, 220), (120, 120, 120)

# The display matrices of ISO/IEC 14496-12 that make of a stored picture the shown one, and EXIF's number for each.
ONE = 0x10000
MATRICES = {
    1: (ONE, 0, 0, ONE),
    2: (-ONE, 0, 0, ONE),
    3: (-ONE, 0, 0, -ONE),
    4: (ONE, 0, 0, -ONE),
    5: (0, ONE, ONE, 0),
    6: (0, ONE, -ONE, 0),
    7: (0, -ONE, -ONE, 0),
    8: (0, -ONE, ONE, 0),
}


def marked(width: int = 96, height: int = 64) -> np.ndarray:
    """Grey with another colour in each of three corners."""
    image = np.full((height, width, 3), GREY, np.uint8)
    image[:16, :16], image[:16, -16:], image[-16:, :16] = RED, GREEN, BLUE
    return image


def corners(image: np.ndarray) -> list[str]:
    """The names of the colours in the four corners: top left, top right, bottom left, bottom right."""
    names = {"red": RED, "green": GREEN, "blue": BLUE, "grey": GREY}
    found = (image[5, 5], image[5, -6], image[-6, 5], image[-6, -6])
    return [min(names, key=lambda name: np.abs(np.subtract(names[name], one.astype(int))).sum()) for one in found]


def write(path: Path, images: list[np.ndarray], codec: str = "h264", aspect: Fraction | None = None, **options) -> Path:
    with av.open(str(path), "w", **options) as container:
        stream = container.add_stream(codec, rate=25, options={"crf": "12"} if codec == "h264" else {})
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        for number, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def turned(path: Path, number: int) -> Path:
    """The file with another display matrix in its track header."""
    data = bytearray(path.read_bytes())
    a, b, c, d = MATRICES[number]
    old, new = (
        b"".join((value & 0xFFFFFFFF).to_bytes(4, "big") for value in (w, x, 0, y, z, 0, 0, 0, 0x40000000))
        for w, x, y, z in (MATRICES[1], (a, b, c, d))
    )
    at = data.find(old, data.find(b"tkhd"))
    assert at > 0
    data[at : at + len(new)] = new
    path.write_bytes(data)
    return path


def test_a_picture_goes_when_it_has_been_looked_at(tmp_path: Path) -> None:
    """Pixels count for nothing with whoever looks for circles: an hour of film would wait for that."""
    path = write(tmp_path / "film.mp4", [marked()] * 20)
    gc.disable()
    try:
        assert sum(1 for _ in frames(path)) == 20
        assert not [each for each in gc.get_objects() if type(each) is av.VideoFrame]
    finally:
        gc.enable()


@pytest.mark.parametrize("number", MATRICES)
def test_films_and_stills_agree_on_all_eight_orientations(tmp_path: Path, number: int) -> None:
    """Pillow knows EXIF without us; a film with the same orientation as matrix must look like it."""
    exif = Image.Exif()
    exif[0x0112] = number
    still = tmp_path / "still.jpg"
    Image.fromarray(marked()).save(still, exif=exif, quality=95, subsampling=0)
    from PIL import ImageOps

    truth = np.asarray(ImageOps.exif_transpose(Image.open(still)).convert("RGB"))
    film = turned(write(tmp_path / "film.mp4", [marked()] * 2), number)
    for path in (still, film):
        (shown, *_) = frames(path)
        assert shown.image.shape == truth.shape
        assert corners(shown.image) == corners(truth)
        assert (probe(path).width, probe(path).height) == (truth.shape[1], truth.shape[0])
    assert np.abs(next(frames(still)).image.astype(int) - truth).mean() < 3


def test_pixels_that_are_not_square_are_shown_square(tmp_path: Path) -> None:
    for aspect, size in ((Fraction(4, 3), (128, 64)), (Fraction(2, 1), (192, 64)), (Fraction(1, 2), (96, 128))):
        film = write(tmp_path / "film.mp4", [marked()], aspect=aspect)
        assert (probe(film).width, probe(film).height) == size
        image = next(frames(film)).image
        assert image.shape == (size[1], size[0], 3) and corners(image) == ["red", "green", "blue", "grey"]


def test_a_size_that_changes_midway_does_not_move_what_is_seen(tmp_path: Path) -> None:
    """As a call's recording does; `cat` of raw streams is one."""
    parts = [
        write(tmp_path / f"{width}.h264", [np.asarray(Image.fromarray(marked()).resize((width, height)))] * 5)
        for width, height in ((192, 128), (96, 64), (384, 256), (128, 192))
    ]
    film = tmp_path / "call.h264"
    film.write_bytes(b"".join(part.read_bytes() for part in parts))
    shown = [frame.image for frame in frames(film)]
    assert len(shown) == 20 and {image.shape for image in shown} == {(128, 192, 3)}
    for image in shown[:15]:
        assert corners(image) == ["red", "green", "blue", "grey"]
        assert np.abs(image.astype(int) - shown[0]).mean() < 8
    # One that is upright stands in the middle, not stretched, with black beside it.
    upright = shown[-1]
    assert upright[:, :50].max() < 40 and upright[:, -50:].max() < 40
    assert upright[64, 96].min() > 80


@pytest.mark.parametrize(("transfer", "white"), [(16, 0.581), (18, 0.75)], ids=["PQ", "HLG"])
def test_white_of_hdr_is_white(transfer: int, white: float) -> None:
    """ITU-R BT.2408-7, table 1: a white of 203 cd/m² is 58 % of the signal in PQ, 75 % in HLG; shown as it is, grey."""
    from emoscribe.extractors.media.display import Display

    def flat(signal: float):
        picture = av.VideoFrame(64, 64, "yuv420p10le")
        for number, plane in enumerate(picture.planes):
            level = round(64 + 876 * signal) if number == 0 else 512
            plane.update(np.full(plane.buffer_size // 2, level, np.uint16).tobytes())
        picture.colorspace, picture.color_range, picture.color_trc, picture.color_primaries = 9, 1, transfer, 9
        return picture

    class Track:
        sample_aspect_ratio = None

    display = Display(Track())
    levels = [display.shown(flat(white * share))[32, 32] for share in (0.0, 0.5, 0.8, 1.0)]
    assert [int(level.max()) - int(level.min()) <= 2 for level in levels] == [True] * 4
    grey = [int(level[0]) for level in levels]
    assert grey[0] <= 4 and grey[-1] >= 250
    assert np.diff(grey).min() > 20


def test_colours_are_those_of_the_stream_s_matrix(tmp_path: Path) -> None:
    """Blue and green of BT.709 read as BT.601 are other colours."""
    shown = {}
    for name, space in (("709", 1), ("601", 6)):
        path = tmp_path / f"{name}.mp4"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("h264", rate=25, options={"crf": "5"})
            stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
            stream.codec_context.colorspace = space
            picture = av.VideoFrame.from_ndarray(np.full((64, 64, 3), GREEN, np.uint8), format="rgb24")
            picture = picture.reformat(format="yuv420p", dst_colorspace=1 if space == 1 else 5)
            picture.pts, picture.time_base = 0, Fraction(1, 25)
            container.mux(stream.encode(picture))
            container.mux(stream.encode())
        shown[name] = next(frames(path)).image[32, 32].astype(int)
    for colour in shown.values():
        assert np.abs(colour - GREEN).max() <= 6


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg to compare with")
@pytest.mark.parametrize("number", [2, 5, 6, 7])
def test_a_turned_film_is_what_ffmpeg_shows(tmp_path: Path, number: int) -> None:
    film = turned(write(tmp_path / "film.mp4", [marked()] * 2), number)
    image = next(frames(film)).image
    command = ["ffmpeg", "-v", "error", "-i", film, "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    raw = subprocess.run(command, capture_output=True, check=True).stdout
    assert np.abs(np.frombuffer(raw, np.uint8).reshape(image.shape).astype(int) - image).mean() < 2


def test_cropping_in_the_stream_is_not_shown(tmp_path: Path) -> None:
    """H.264 codes blocks of 16 pixels; what is beyond 90 lines is there to be cut off."""
    film = write(tmp_path / "film.mp4", [marked(120, 90)])
    assert (probe(film).width, probe(film).height) == (120, 90)
    assert corners(next(frames(film)).image) == ["red", "green", "blue", "grey"]


# ── pictures that are no pictures, or too large ones ─────────────────────────


def test_a_side_that_libraries_cannot_index_is_scaled_down(tmp_path: Path) -> None:
    """32,767 pixels and more aborted the interpreter."""
    path = tmp_path / "wide.png"
    Image.new("RGB", (40_000, 120), GREY).save(path)
    media = probe(path)
    assert (media.width, media.height) == (8192, 25)
    assert next(frames(path)).image.shape == (25, 8192, 3)


def test_more_pixels_than_can_be_decoded_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    Image.new("1", (20_000, 20_000)).save(path)
    with pytest.raises(MediaError, match=r"huge.png shows more pixels than can be decoded"):
        probe(path)


@pytest.mark.parametrize(
    "damage",
    [lambda png: png[:60], lambda png: png[:16], lambda png: png[:16] + bytes(8) + png[24:]],
    ids=["cut off", "a head alone", "0 × 0"],
)
def test_a_picture_without_a_picture_is_an_error(tmp_path: Path, damage) -> None:
    """It passed as a picture in which nobody is seen."""
    path = tmp_path / "face.png"
    Image.effect_noise((64, 64), 50).save(path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(MediaError, match=r"face.png (holds no|cannot be decoded)"):
        probe(path)


def test_jpegs_one_after_the_other_are_a_film(tmp_path: Path) -> None:
    """As cameras write them without a container; a single one stays a picture."""
    paths = [tmp_path / f"{number}.jpg" for number in range(5)]
    for number, path in enumerate(paths):
        Image.new("RGB", (64, 48), (40 * number,) * 3).save(path)
    film, still = tmp_path / "film.mjpeg", tmp_path / "still.bin"
    film.write_bytes(b"".join(path.read_bytes() for path in paths))
    still.write_bytes(paths[0].read_bytes())
    media = probe(film)
    assert (media.duration_s, media.fps) == (pytest.approx(0.2), 25.0)
    seen = list(frames(film))
    assert [frame.time_s for frame in seen] == pytest.approx(np.arange(5) / 25)
    assert [round(frame.image.mean() / 40) for frame in seen] == [0, 1, 2, 3, 4]
    assert probe(still).duration_s == 0.0 and len(list(frames(still))) == 1
