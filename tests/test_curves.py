"""The curves of a training: written as it goes, gone on with after a kill, drawn."""

from __future__ import annotations

import math
import struct
import xml.etree.ElementTree as ElementTree
from contextlib import closing
from pathlib import Path

import pytest
from emoscribe.core.errors import MediaError
from emoscribe.training.curves import Curves, curves_figure, read_history

EPOCH = 5


def train(folder: Path, start: int, end: int) -> None:
    """Updates `start` + 1 to `end`, as training makes them: an epoch each five."""
    with closing(Curves(folder)) as curves:
        for step in range(start + 1, end + 1):
            curves.add(step, loss=2.0 / step, learning_rate=1e-3 / step)
            if step % EPOCH == 0:
                curves.add(step, epoch=step // EPOCH, dev_loss=1.5, dev_weighted_f1=0.4 + step / 100)


def events(folder: Path) -> list[tuple[int, str, float]]:
    """Update, tag and value of all that TensorBoard is shown."""
    from tensorboardX.proto.event_pb2 import Event

    shown = []
    for path in sorted((folder / "curves").iterdir()):
        data = path.read_bytes()
        while data:
            (length,) = struct.unpack("<Q", data[:8])
            event = Event.FromString(data[12 : 12 + length])
            shown += [(event.step, value.tag, round(value.simple_value, 5)) for value in event.summary.value]
            data = data[16 + length :]
    return shown


def test_what_was_measured_is_kept_and_shown(tmp_path: Path) -> None:
    train(tmp_path, 0, 5)
    rows = read_history(tmp_path)
    assert rows[0] == {"step": 1, "loss": 2.0, "learning_rate": 1e-3}
    assert rows[-1] == {"step": 5, "epoch": 1, "dev_loss": 1.5, "dev_weighted_f1": 0.45}
    assert (1, "train/loss", 2.0) in events(tmp_path)
    assert (5, "dev/weighted_f1", 0.45) in events(tmp_path)


# Killed with the checkpoint some updates old, none old, just before and just after the end of an epoch.
@pytest.mark.parametrize(("killed", "checkpoint"), [(8, 6), (8, 8), (10, 9), (10, 10), (10, 0)])
def test_a_resumed_training_has_the_curves_of_an_unbroken_one(tmp_path: Path, killed: int, checkpoint: int) -> None:
    unbroken, resumed = tmp_path / "unbroken", tmp_path / "resumed"
    train(unbroken, 0, 15)
    train(resumed, 0, killed)
    train(resumed, checkpoint, 15)
    assert read_history(unbroken) == read_history(resumed)
    assert events(unbroken) == events(resumed)


def test_killed_while_an_epoch_was_judged(tmp_path: Path) -> None:
    with closing(Curves(tmp_path)) as curves:
        curves.add(1, loss=2.0)
    with closing(Curves(tmp_path)) as curves:
        curves.add(1, epoch=1, dev_accuracy=0.5)
    assert [("loss" in row, "epoch" in row) for row in read_history(tmp_path)] == [(True, False), (False, True)]


def test_half_a_line_is_left_out(tmp_path: Path) -> None:
    train(tmp_path, 0, 3)
    history = tmp_path / "history.jsonl"
    history.write_text(history.read_text() + '{"step": 4, "lo')
    assert [row["step"] for row in read_history(tmp_path)] == [1, 2, 3]
    train(tmp_path, 3, 4)
    assert [row["step"] for row in read_history(tmp_path)] == [1, 2, 3, 4]


@pytest.mark.parametrize("line", ["nonsense", "[1]", '{"loss": 1}', '{"step": 1}\n{"step": "2"}'])
def test_a_damaged_history_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "history.jsonl").write_text(line + "\n")
    with pytest.raises(MediaError, match=r"history\.jsonl is damaged; remove it"):
        Curves(tmp_path)


def test_a_loss_that_is_not_finite_is_a_gap(tmp_path: Path) -> None:
    with closing(Curves(tmp_path)) as curves:
        for step, loss in enumerate((1.0, math.nan, math.inf, 1.0), start=1):
            curves.add(step, loss=loss)
        curves.draw([])
    rows = read_history(tmp_path)
    assert [row["loss"] for row in rows] == [1.0, None, None, 1.0]
    assert (tmp_path / "curves.svg").read_text() == curves_figure(rows, [])


def test_the_picture_says_what_it_shows() -> None:
    rows = [{"step": step, "loss": 1 / step, "learning_rate": 1e-4} for step in range(1, 11)]
    rows[4:4] = [{"step": 5, "epoch": 1, "dev_weighted_f1": 0.5, "dev_$odd$ <name>": 0.1}]
    rows += [{"step": 10, "epoch": 2, "dev_weighted_f1": 0.4, "dev_$odd$ <name>": 0.2}]
    svg = curves_figure(rows, ["weighted_f1", "$odd$ <name>"])
    texts = {element.text for element in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")}
    assert {"loss", "on dev", "learning rate", "updates", "weighted f1", "$odd$ <name>"} <= texts
    assert "odd" not in curves_figure(rows, ["weighted_f1"])
    assert svg == curves_figure(rows, ["weighted_f1", "$odd$ <name>"])


def test_a_picture_of_next_to_nothing() -> None:
    for rows in ([], [{"step": 1, "loss": None}], [{"step": 1, "epoch": 1, "dev_a": None}]):
        ElementTree.fromstring(curves_figure(rows, ["a"]))
