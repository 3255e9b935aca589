"""Where images come from: folders, lists of files, tar shards, other data sets."""

from .adapt import as_source
from .base import Options, Source
from .files import Files
from .folder import ImageFolder
from .tar import TarShards

__all__ = ["Files", "ImageFolder", "Options", "Source", "TarShards", "as_source"]
