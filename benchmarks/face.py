"""Frames a second from a video file to action units by py-feat, on streamed batches and frame by frame.

    python benchmarks/face.py [--frames 64] [--faces 2] [--batch-size N] [--device auto] [--out DIR]

The plain way is py-feat's own: `Detectorv2.detect` on one frame at a time,
decoded as ours are, without its identity network.  Both find faces and rate
them with the same weights: py-feat's where they are on disk, else random ones
in the shape of the published networks.  RetinaFace runs in both, but which
faces it finds is fixed: what random weights see, and how many faces a film
has, is no matter of speed.  Loading is not timed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any
from unittest.mock import patch

import numpy as np
from emoscribe.core.context import resolve_device
from emoscribe.extractors.face import pyfeat as face_pyfeat
from emoscribe.extractors.face import pyfeat_weights as face_pyfeat_weights
from emoscribe.extractors.face.track import FaceTracker, with_pictures
from emoscribe.extractors.media import frames
from emoscribe.extractors.settings import FaceSettings
from results import device_name, report

FPS = 30


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, help="of the video  [default: 640 on a GPU, 32 on a CPU]")
    parser.add_argument("--size", default="640x360", help="of a frame  [default: %(default)s]")
    parser.add_argument("--faces", type=int, default=2, help="in each frame  [default: %(default)s]")
    parser.add_argument("--batch-size", type=int, help="frames at a time  [default: as the package takes them]")
    parser.add_argument("--rounds", type=int, default=3, help="of both ways in turn  [default: %(default)s]")
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--backbone", default="convnextv2_tiny", help="of random weights  [default: %(default)s]")
    parser.add_argument("--out", type=Path, help="keep the result in this folder")
    args = parser.parse_args(argv)

    import torch

    spare_torchcodec()
    device = resolve_device(args.device)
    count = args.frames or (640 if device == "cuda" else 32)
    width, height = map(int, args.size.split("x"))
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        weights = "published"
        if not face_pyfeat_weights.on_disk():
            weights = f"random, {args.backbone}"
            save_random_weights(Path(folder), args.backbone)
            stack.enter_context(patch("feat.utils.io.get_resource_path", lambda: folder))
            stack.enter_context(patch.dict(os.environ, {face_pyfeat_weights.CACHE_VARIABLE: folder}))
        video = write_video(Path(folder) / "video.mp4", count, width, height)
        boxes = faces_in(width, height, args.faces)
        detector = plain_detector(device, boxes)

        together = args.batch_size or face_pyfeat.BATCH_SIZES[device]
        settings = FaceSettings(
            engine="py-feat", device=device, sampling_fps=240.0, batch_size=together, max_faces=args.faces
        )
        engine = face_pyfeat.PyFeatEngine(face_pyfeat_weights.find_weights(), settings)
        find_always(engine.networks.detector, boxes)

        def ours() -> np.ndarray:
            tracker = FaceTracker(engine.vocabulary)
            for seen, image in with_pictures(engine.see, frames(video, 240.0)):
                tracker.add(seen, image)
            return tracker.track().action_units

        def plain() -> np.ndarray:
            return np.concatenate([plain_units(detector, frame.image) for frame in frames(video)])

        ours_s, plain_s, apart = compare(ours, plain, args.rounds)
    name = device_name(device)
    print(f"{count} frames of {args.size}, {args.faces} faces in each, {weights} weights, {name}")
    print(f"ours   {count / ours_s:8.2f} frames/s: streamed batches of {together}")
    print(f"plain  {count / plain_s:8.2f} frames/s: Detectorv2.detect, a frame a call")
    print(f"action units apart by {apart:.4f} at most")
    about = {"frames": count, "size": args.size, "faces": args.faces, "batch_size": together}
    report(
        "face", count / ours_s, count / plain_s, "frames/s", name, args.out,
        weights=weights, threads=torch.get_num_threads(), **about,
    )  # fmt: skip


def compare(ours: Callable[[], np.ndarray], plain: Callable[[], np.ndarray], rounds: int) -> tuple[float, float, float]:
    """Median seconds of both ways, and how far apart their units are at most; the first round warms up."""
    seconds: dict[str, list[float]] = {"ours": [], "plain": []}
    units = {}
    for _ in range(rounds + 1):
        for name, way in (("ours", ours), ("plain", plain)):
            began = time.perf_counter()
            units[name] = way()
            seconds[name].append(time.perf_counter() - began)
    apart = float(np.abs(units["ours"] - units["plain"]).max())
    return median(seconds["ours"][1:]), median(seconds["plain"][1:]), apart


# ── the plain way ────────────────────────────────────────────────────────────


def plain_detector(device: str, boxes: np.ndarray) -> Any:
    """py-feat's own detector; gradients stay off after it is built, as they do for whoever uses it."""
    from feat.detector_v2 import Detectorv2

    # It would ask the hub for weights that are here.
    with patch("huggingface_hub.constants.HF_HUB_OFFLINE", True):
        detector = Detectorv2(device=device, identity_model=None)
    find_always(detector.face_detector, boxes)
    return detector


def plain_units(detector: Any, image: np.ndarray) -> np.ndarray:
    """(K, A) action units of the faces in (H, W, 3) uint8."""
    import torch

    batch = torch.from_numpy(image).permute(2, 0, 1)[None]
    return detector.detect(batch, data_type="tensor", batch_size=1, progress_bar=False).aus.to_numpy()


def spare_torchcodec() -> None:
    """py-feat asks for a decoder of videos as it is imported; frames are handed to it, so it may go without."""
    try:
        import torchcodec.decoders  # noqa: F401
    except (ImportError, OSError, RuntimeError):  # also where FFmpeg's libraries are missing
        decoders: Any = ModuleType("torchcodec.decoders")
        decoders.VideoDecoder = None
        sys.modules |= {"torchcodec": ModuleType("torchcodec"), "torchcodec.decoders": decoders}


# ── material ─────────────────────────────────────────────────────────────────


def faces_in(width: int, height: int, count: int) -> np.ndarray:
    """(K, 4) boxes side by side, the largest first."""
    size = 0.8 * min(height, width / count)
    left = (np.arange(count) + 0.5) * width / count - size / 2
    small = size * (1 - 0.05 * np.arange(count))
    return np.stack([left, np.full(count, 0.1 * height), left + small, 0.1 * height + small], axis=1)


def find_always(detector: Any, boxes: np.ndarray) -> None:
    """RetinaFace as it is, but for what it finds."""
    found = [[*map(float, box), 0.99] for box in boxes]
    forward = detector.forward

    def fixed(pictures: Any) -> list[list[list[float]]]:
        forward(pictures)
        return [[list(face) for face in found] for _ in pictures]

    detector.forward = fixed


def write_video(path: Path, count: int, width: int, height: int) -> Path:
    """Coloured waves that move, some grain."""
    import av

    grain = np.random.default_rng(0).normal(0, 6, (height, width, 3))
    y, x = np.mgrid[:height, :width] / height
    with av.open(str(path), "w") as container:
        stream = container.add_stream("h264", rate=FPS, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for image in _waves(count, x, y, grain):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.time_base = Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def _waves(count: int, x: np.ndarray, y: np.ndarray, grain: np.ndarray) -> Iterator[np.ndarray]:
    for index in range(count):
        phase = 2 * np.pi * index / FPS
        waves = [np.sin(6 * x + phase), np.sin(9 * y - phase), np.sin(5 * (x + y) + 2 * phase)]
        yield np.clip(128 + 70 * np.stack(waves, axis=-1) + grain, 0, 255).astype(np.uint8)


def save_random_weights(cache: Path, backbone: str) -> None:
    """Both networks as published but for the numbers in them, in py-feat's cache layout.

    The face detector's sees nothing, so that sorting what it sees costs
    neither way more than on a film.
    """
    import torch
    from feat.face_detectors.Retinaface.Retinaface_test import Retinaface
    from feat.multitask.model_v2 import MEGraphAUv2, ModelV2Config
    from safetensors.torch import save_file

    torch.manual_seed(0)
    detector = Retinaface(device="cpu", pretrained="none").net
    torch.set_grad_enabled(True)
    for name, parameter in detector.named_parameters():
        if name.startswith("ClassHead."):
            # Of each pair of logits the first is for no face.
            bias = torch.tensor([10.0, -10.0]).repeat(parameter.numel() // 2)
            parameter.data = bias if parameter.ndim == 1 else torch.zeros_like(parameter)
    # Model card of py-feat/face_multitask_v2.
    config = ModelV2Config(
        backbone=backbone, n_au=20, n_emotion=7, n_blendshape=52, pretrained=False,
        use_head_v3=True, drop_mefl=True, mesh_normalized=True, emotion_use_au_prob=True,
    )  # fmt: skip
    rater = MEGraphAUv2(config)
    described = {"config": json.dumps(asdict(config))}
    for net, repository, name, metadata in (
        (detector, "retinaface_r34", "model.safetensors", None),
        (rater, "face_multitask_v2", "face_multitask_v28.safetensors", described),
    ):
        folder = cache / f"models--py-feat--{repository}"
        snapshot = folder / "snapshots" / ("0" * 40)
        snapshot.mkdir(parents=True)
        (folder / "refs").mkdir()
        (folder / "refs" / "main").write_text("0" * 40)
        state = {key: value.clone().contiguous() for key, value in net.state_dict().items()}
        save_file(state, snapshot / name, metadata=metadata)


if __name__ == "__main__":
    main()
