"""Model bundles: kept, tried, swapped, watched, taken back."""

from agent.app.modelsets.keeper import ModelSets
from agent.app.modelsets.store import ModelStore

__all__ = ["ModelSets", "ModelStore"]
