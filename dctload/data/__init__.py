"""Data sets, the loader, and the order in which samples come."""

from .loader import DataLoader
from .sampler import Shard
from .sources import Files, ImageFolder, TarShards
from .timing import LoaderStats

__all__ = ["DataLoader", "Files", "ImageFolder", "LoaderStats", "Shard", "TarShards"]
