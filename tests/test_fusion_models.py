"""The fusion models: what goes in, what comes out, how large they are, and that they learn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pytest
import torch
from emoscribe.baseline.fusion import MODELS, Embeds, build
from emoscribe.baseline.models.temporal import causal
from emoscribe.baseline.settings import FUSIONS
from emoscribe.core.errors import SettingsError
from torch import Tensor, nn
from torch.nn import functional

FACE, VOICE, WORDS = {"face-measures": 7}, {"egemaps": 5}, {"token-embeddings": 9}
SETS = {1: FACE, 2: {**VOICE, **WORDS}, 3: {**FACE, **VOICE, **WORDS}}
VOICES = {1: VOICE, 2: {**VOICE, "log-mel": 3}, 3: {**VOICE, "log-mel": 3, "compare": 11}}
LENGTHS = (9, 4, 1, 7)
PER_FRAME = {"lfan", "can", "jmt", "late-fusion", "unimodal"}


def widths(fusion: str, count: int) -> Mapping[str, int]:
    return (VOICES if fusion == "unimodal" else SETS)[count]


@dataclass(frozen=True)
class Batch:
    streams: dict[str, Tensor]
    there: Tensor

    def clip(self, index: int) -> Batch:
        """One clip, without its padding."""
        frames = int(self.there[index].sum())
        streams = {name: values[index : index + 1, :frames] for name, values in self.streams.items()}
        return Batch(streams, self.there[index : index + 1, :frames])


def make_batch(streams: Mapping[str, int], lengths: tuple[int, ...] = LENGTHS) -> Batch:
    """Random frames; what stands in the padding is random too, so that a model that reads it is caught."""
    generator = torch.Generator().manual_seed(5)
    there = torch.arange(max(lengths)) < torch.tensor(lengths).unsqueeze(1)
    shape = (len(lengths), max(lengths))
    return Batch({name: torch.randn(*shape, width, generator=generator) for name, width in streams.items()}, there)


def make_model(fusion: str, count: int = 3, outputs: int = 4, dropout: float = 0.1):
    torch.manual_seed(3)
    return build(fusion, widths(fusion, count), outputs, dropout=dropout)


def test_every_fusion_that_can_be_asked_for_is_there() -> None:
    assert tuple(MODELS) == FUSIONS
    assert {name for name, model in MODELS.items() if model.per_frame} == PER_FRAME


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("fusion", FUSIONS)
def test_logits_are_per_frame_or_per_window(fusion: str, count: int) -> None:
    batch = make_batch(widths(fusion, count))
    logits = make_model(fusion, count).train()(batch.streams, batch.there)
    assert logits.shape == ((4, 9, 4) if fusion in PER_FRAME else (4, 4))
    assert logits[batch.there if fusion in PER_FRAME else slice(None)].isfinite().all()


@pytest.mark.parametrize("fusion", FUSIONS)
def test_padding_changes_nothing(fusion: str) -> None:
    model, batch = make_model(fusion), make_batch(widths(fusion, 3))
    model.train()(batch.streams, batch.there)  # Running statistics that are not those of a new model.
    model.eval()
    with torch.no_grad():
        together = model(batch.streams, batch.there)
        for index, length in enumerate(LENGTHS):
            clip = batch.clip(index)
            alone = model(clip.streams, clip.there)[0]
            torch.testing.assert_close(together[index, :length] if model.per_frame else together[index], alone)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_padding_trains_nothing(fusion: str) -> None:
    """Neither a gradient nor a running statistic depends on how far a batch is padded."""
    batch = make_batch(widths(fusion, 2))
    padded = Batch(
        {name: functional.pad(values, (0, 0, 0, 6), value=50.0) for name, values in batch.streams.items()},
        functional.pad(batch.there, (0, 6)),
    )
    found = []
    for each in (batch, padded):
        model = make_model(fusion, 2, dropout=0.0).train()
        logits = model(each.streams, each.there)
        (logits[each.there] if model.per_frame else logits).square().mean().backward()
        grads = {name: parameter.grad for name, parameter in model.named_parameters()}
        found.append({**grads, **dict(model.named_buffers())})
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_eval_is_deterministic_and_dropout_is_not(fusion: str) -> None:
    model, batch = make_model(fusion, 2, dropout=0.5), make_batch(widths(fusion, 2))
    outputs = [model.train(training)(batch.streams, batch.there) for training in (True, True, False, False)]
    assert not torch.equal(outputs[0], outputs[1])
    assert torch.equal(outputs[2], outputs[3])


@pytest.mark.parametrize("fusion", FUSIONS)
def test_gradient_reaches_every_parameter(fusion: str) -> None:
    model, batch = make_model(fusion), make_batch(widths(fusion, 3))
    logits = model(batch.streams, batch.there)
    (logits[batch.there] if model.per_frame else logits).square().mean().backward()
    silent = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == []


@pytest.mark.parametrize("fusion", FUSIONS)
def test_eight_clips_can_be_learnt_by_heart(fusion: str) -> None:
    batch = make_batch(widths(fusion, 2), lengths=(3, 2, 4, 3, 4, 2, 1, 4))
    model = make_model(fusion, 2, outputs=3, dropout=0.0)
    labels = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1])
    if model.per_frame:
        labels = labels.unsqueeze(1).expand(batch.there.shape)[batch.there]
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

    def loss() -> Tensor:
        logits = model(batch.streams, batch.there)
        return functional.cross_entropy(logits[batch.there] if model.per_frame else logits, labels)

    for step in range(1, 301):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
        # As it will be used: with the running statistics, which take a while to follow.
        if step % 10 == 0 and model.eval() and loss() < 0.05:
            break
        model.train()
    assert model.eval() and loss() < 0.05


def linear(before: int, after: int, bias: bool = True) -> int:
    return before * after + bias * after


def encoder(width: int, channels: tuple[int, ...]) -> int:
    """Two convolutions of kernel 5 with a bias and a norm a channel, a way around where widths differ, batch norm."""
    total = 2 * channels[-1]
    for before, after in zip((width, *channels), channels, strict=False):
        total += 5 * before * after + 5 * after * after + 4 * after
        total += linear(before, after) if before != after else 0
    return total


def attention(width: int) -> int:
    return 4 * linear(width, width)


def lstm(width: int, states: int) -> int:
    return 4 * states * (width + states + 2)


# Of face measures, eGeMAPS and tokens, 7, 5 and 9 wide, and four labels.
ENCODERS = encoder(7, (256, 256, 128, 128)) + encoder(5, (64, 64, 32, 32)) + encoder(9, (256, 256, 128, 128))
TO_128 = 2 * linear(128, 128) + linear(32, 128)
JMT_LAYER = attention(128) + 2 * linear(128, 128) + 4 * 128


def mult_layer(width: int) -> int:
    return attention(width) + linear(width, 4 * width) + linear(4 * width, width) + 4 * width


PARAMETERS = {
    # The published sizes: attention of 32 a stream, and 128 + 3 x 32 = 224 to the logits.
    "lfan": ENCODERS + 2 * linear(128, 96) + linear(32, 96) + linear(96, 96) + 2 * 96 + linear(224, 4),
    "can": ENCODERS + TO_128 + linear(384, 384) + linear(384, 384, bias=False) + 2 * 384 + linear(384, 4),
    # Three streams and the joint one: 12 ordered pairs.
    "jmt": ENCODERS
    + TO_128
    + linear(384, 128)
    + 5 * JMT_LAYER
    + 13 * attention(128)
    + linear(128, 128, bias=False)
    + 2 * 128
    + linear(128, 4),
    "bilstm-attention": 2 * (lstm(7, 64) + lstm(5, 64) + lstm(9, 64)) + attention(384) + 2 * 384 + linear(384, 4),
    # 129 x 33 x 33 = 140,481 products, as in the paper.
    "tfn": linear(7, 32)
    + linear(5, 32)
    + 4 * linear(32, 32)
    + lstm(9, 128)
    + linear(128, 128)
    + linear(140_481, 128)
    + linear(128, 128)
    + linear(128, 4),
    "late-fusion": ENCODERS + 2 * linear(128, 4) + linear(32, 4) + 3,
    "crossmodal": linear(7, 64)
    + linear(5, 64)
    + linear(9, 64)
    + 3 * (2 * 2 * mult_layer(64) + 2 * mult_layer(128) + 2 * 128 + linear(128, 4))
    + linear(12, 4),
    # eGeMAPS, log-mel and ComParE: 5 + 3 + 11.
    "unimodal": encoder(19, (64, 64, 32, 32)) + linear(32, 4),
}


@pytest.mark.parametrize("fusion", FUSIONS)
def test_parameter_count(fusion: str) -> None:
    assert sum(p.numel() for p in make_model(fusion).parameters()) == PARAMETERS[fusion]


@pytest.mark.parametrize("fusion", FUSIONS)
def test_a_reordered_description_fits_the_same_weights(fusion: str) -> None:
    streams = widths(fusion, 2)
    batch, model = make_batch(streams), make_model(fusion, 2).eval()
    again = build(fusion, dict(reversed(streams.items())), 4, dropout=0.1).eval()
    again.load_state_dict(model.state_dict())
    assert torch.equal(model(batch.streams, batch.there), again(batch.streams, batch.there))


@pytest.mark.parametrize(
    ("streams", "leader"),
    [
        (SETS[3], "face-measures"),
        ({**FACE, "face-embedding": 3}, "face-embedding"),
        (SETS[2], "token-embeddings"),
        (VOICES[2], "egemaps"),
    ],
)
def test_the_face_leads_then_the_words(streams: Mapping[str, int], leader: str) -> None:
    assert build("lfan", streams, 4, dropout=0.1).leader == leader


@pytest.mark.parametrize("fusion", sorted(PER_FRAME - {"jmt"}))
def test_no_frame_hears_the_future(fusion: str) -> None:
    model, batch = make_model(fusion).eval(), make_batch(widths(fusion, 3), lengths=(9,))
    later = {name: torch.cat([values[:, :5], -values[:, 5:]], dim=1) for name, values in batch.streams.items()}
    before, after = (model(streams, batch.there) for streams in (batch.streams, later))
    torch.testing.assert_close(before[:, :5], after[:, :5])
    assert not torch.allclose(before[:, 5:], after[:, 5:])


def test_a_frame_sees_120_frames_back() -> None:
    """Two convolutions a block, four frames back each, at dilations 1, 2, 4 and 8."""
    model, batch = make_model("unimodal", 1).double().eval(), make_batch(VOICE, lengths=(200,))
    frames = batch.streams["egemaps"].double().requires_grad_()
    model({"egemaps": frames}, batch.there)[0, 150].sum().backward()
    assert frames.grad is not None
    seen = frames.grad[0].abs().sum(-1).nonzero().flatten()
    assert (seen.min(), seen.max()) == (30, 150)


@pytest.mark.parametrize("dilation", [1, 2, 8])
@pytest.mark.parametrize("length", [1, 3, 16, 40])
def test_a_causal_convolution_is_torchs_of_what_was_before(length: int, dilation: int) -> None:
    torch.manual_seed(0)
    convolution = nn.Conv1d(12, 7, 5, dilation=dilation).double()
    frames = torch.randn(length, 3, 12, dtype=torch.double, requires_grad=True)
    ours = causal(convolution, frames)
    padded = functional.pad(frames.permute(1, 2, 0), (4 * dilation, 0))
    theirs = convolution(padded).permute(2, 0, 1)
    torch.testing.assert_close(ours, theirs)

    learnt, gradient = [frames, convolution.weight, convolution.bias], torch.randn_like(ours)
    for mine, true in zip(
        torch.autograd.grad(ours, learnt, gradient), torch.autograd.grad(theirs, learnt, gradient), strict=True
    ):
        torch.testing.assert_close(mine, true)


def test_a_causal_convolution_in_half_precision_is_near_the_whole_one() -> None:
    torch.manual_seed(0)
    convolution, frames = nn.Conv1d(12, 7, 5), torch.randn(9, 3, 12, requires_grad=True)
    whole = causal(convolution, frames)
    with torch.autocast("cpu", torch.bfloat16):
        half = causal(convolution, frames)
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), whole, atol=0.03, rtol=0.03)
    half.float().sum().backward()
    assert frames.grad is not None and frames.grad.dtype == torch.float32


def test_a_batch_of_one_frame_can_be_trained_on() -> None:
    """Batch norm has no spread to divide by, and raised."""
    model, batch = make_model("lfan").train(), make_batch(SETS[3], lengths=(1,))
    assert model(batch.streams, batch.there).isfinite().all()


@pytest.mark.parametrize("fusion", [name for name in FUSIONS if name != "unimodal"])
def test_what_one_stream_says_changes_what_is_made_of_another(fusion: str) -> None:
    """All but the fusion of decisions are more than a sum: the voice's effect depends on the words."""
    model, batch = make_model(fusion, 2).double().eval(), make_batch(SETS[2], lengths=(4,))
    voice, words = (3 * batch.streams[name].double() for name in ("egemaps", "token-embeddings"))

    def logits(heard: Tensor, said: Tensor) -> Tensor:
        return model({"egemaps": heard, "token-embeddings": said}, batch.there)

    effect = logits(voice, words) - logits(-voice, words)
    interaction = (effect - (logits(voice, -words) - logits(-voice, -words))).abs().max()
    assert interaction < 1e-9 if fusion == "late-fusion" else interaction > 1e-6


def test_late_fusion_is_a_weighted_mean_of_its_networks() -> None:
    model, batch = make_model("late-fusion").eval(), make_batch(SETS[3])
    weights = torch.tensor([0.5, 0.3, 0.2])
    model.weights.data = weights.log()
    alone = [network(batch.streams, batch.there) for network in model.networks.values()]
    expected = sum(weight * logits for weight, logits in zip(weights, alone, strict=True))
    torch.testing.assert_close(model(batch.streams, batch.there), expected)


@pytest.mark.parametrize(("fusion", "width"), [("bilstm-attention", 384), ("tfn", 128)])
def test_some_models_embed_a_window(fusion: str, width: int) -> None:
    model, batch = make_model(fusion).eval(), make_batch(SETS[3])
    assert isinstance(model, Embeds)
    embedding = model.embedding(batch.streams, batch.there)
    assert embedding.shape == (4, width)
    torch.testing.assert_close(model.classifier(embedding), model(batch.streams, batch.there))


def test_frame_models_do_not_claim_to_embed() -> None:
    assert not any(issubclass(MODELS[fusion], Embeds) for fusion in PER_FRAME)


def test_unimodal_refuses_two_modalities_in_one_line() -> None:
    with pytest.raises(SettingsError, match="reads one modality, got features of TA; set modalities to one of T, A"):
        build("unimodal", SETS[2], 4, dropout=0.1)
