"""Data sets, the loader, and the order in which samples come."""

from .sampler import Shard
from .sources import Files, ImageFolder, TarShards

__all__ = ["Files", "ImageFolder", "Shard", "TarShards"]
