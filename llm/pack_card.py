"""The card of a pack: that of its run, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator

from .card import model_card
from .pack import MODEL, PACK, Pack, Precision
from .run import TextRun

_WEIGHTS: dict[Precision, str] = {
    "int8": "every matrix in eight bits (dynamic quantisation)",
    "int8-embeddings": "the table of tokens in eight bits, the rest in float32",
    "float32": "float32",
}


def pack_card(run: TextRun, pack: Pack) -> str:
    """The card in Markdown, with the hub's YAML in front where the run's has it."""
    path = run.folder / "README.md"
    card = path.read_text(encoding="utf-8") if path.is_file() else model_card(run)
    card = card.replace("library_name: peft\n", "library_name: onnx\n", 1).rstrip("\n")
    return "\n".join([card, "", "## This pack", "", *_chapter(pack), ""])


def _chapter(pack: Pack) -> Iterator[str]:
    licence = f" ({pack.licences['base']})" if "base" in pack.licences else ""
    yield (
        f"The adapter is merged into its base{licence}, and both are in `{MODEL}`, for onnxruntime on a processor: "
        "what is said above of a base that is not included is not so here. Base and adapter keep their licences. "
        f"`{PACK}` lists each file with its SHA-256; a folder that is not as listed is not read."
    )
    yield ""
    yield f"- Weights: {_WEIGHTS[pack.precision]}."
    yield f"- Before that, no score was further than {pack.export_difference:.1e} from those that PyTorch computes."
    if (agreement := pack.agreement) is None:
        yield "- There were no texts to compare on, so nothing was left to eight bits."
    else:
        yield (
            f"- Of {agreement.texts:,} texts ({agreement.data}), {agreement.answers:.2%} are answered as by the run; "
            f"no score is more than {agreement.difference:.3f} off."
        )
        for precision, share in agreement.tried.items():
            if precision != pack.precision:
                yield f"- With {_WEIGHTS[precision]}, {share:.2%} of the answers stayed: too few."
    if pack.precision == "int8":
        yield "- Numbers are rounded by what is read together, so a score depends a little on its neighbours."
    yield f"- Made with {', '.join(f'{package} {version}' for package, version in pack.made_with.items())}."
