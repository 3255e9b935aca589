"""Training: the loop, its settings, what it measures and what it writes.

Works with any loader that yields (x, target) and has a length, so also with
torch's own; only dctload's can go on in the middle of an epoch.
"""

from .checkpoint import load_checkpoint, save_checkpoint
from .loop import EpochResult, Settings, Trainer, evaluate
from .metrics import Accuracy
from .precision import Precision, pick_precision

__all__ = [
    "Accuracy",
    "EpochResult",
    "Precision",
    "Settings",
    "Trainer",
    "evaluate",
    "load_checkpoint",
    "pick_precision",
    "save_checkpoint",
]
