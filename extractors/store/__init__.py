"""What was perceived, kept: see `cue_store`."""

from .cue_store import WHOLE, CueStore, claimed, kept, settings_hash
from .rows import DamagedError, Key, Part

__all__ = ["WHOLE", "CueStore", "DamagedError", "Key", "Part", "claimed", "kept", "settings_hash"]
