"""An adapter and its head as files of a run."""

from __future__ import annotations

from pathlib import Path

from ..core.files import together, write_json
from ..core.tensors import save_tensors
from .predictor import TextPredictor
from .run import ADAPTER, ADAPTER_CONFIG, HEAD


@together()
def save_adapter(predictor: TextPredictor, base_id: str, folder: Path) -> None:
    """Write PEFT's two files, and `head.safetensors` where there is a head.

    Args:
        base_id: what the base is called everywhere; PEFT would write this machine's path.

    Raises:
        EmoscribeError: the folder cannot be written to.
    """
    from peft import PeftModel, get_peft_model_state_dict

    model = next(module for module in predictor.model.modules() if isinstance(module, PeftModel))
    config = model.peft_config["default"].to_dict()
    config.update(base_model_name_or_path=base_id, inference_mode=True, target_modules=sorted(config["target_modules"]))
    write_json(folder / ADAPTER_CONFIG, {key: getattr(value, "value", value) for key, value in config.items()})
    # Only what is trained: of a base that all processes hold between them, one cannot ask for more.
    trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    # The base's embeddings are the base's; asked to find out, PEFT would look for it on the hub.
    save_tensors(get_peft_model_state_dict(model, trained, save_embedding_layers=False), folder / ADAPTER)
    if predictor.model.head is not None:
        save_tensors(predictor.model.head.state_dict(), folder / HEAD)
