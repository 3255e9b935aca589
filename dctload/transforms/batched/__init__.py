"""Transforms of whole batches in torch, on whatever device the batch is.

For hosts with few or weak cores: the CPU only entropy-decodes, sends of each image
the blocks that its crop can see, as the integers of the file, and the device does
the rest. The objects, the random numbers and the results are those of the native
path, within float32's rounding.

    images, plan, draws --pack()--> PackedBatch --.to(device)--> --.emit()--> tensors

``DataLoader(transform_on="device")`` does all of this.
"""

from ._pack import check, explain, pack, why_not
from ._packed import PackedBatch

__all__ = ["PackedBatch", "check", "explain", "pack", "why_not"]
