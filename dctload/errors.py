"""The exceptions dctload raises about files."""

from typing import Any


class DctloadError(Exception):
    """Base of all errors about a file.

    Attributes:
        name: What the caller knows the file by: a path, or ``"<bytes>"``.
        offset: The first byte that could not be understood, or None.
        status: The number of the reason in ``enum dctload_status``.
    """

    def __init__(
        self,
        message: str,
        *,
        name: str | None = None,
        offset: int | None = None,
        status: int | None = None,
    ):
        super().__init__(message)
        self.name = name
        self.offset = offset
        self.status = status

    def __reduce__(self) -> tuple[object, ...]:
        state = {"name": self.name, "offset": self.offset, "status": self.status}
        return type(self), self.args, state


class CorruptJPEGError(DctloadError):
    """The data break off, contradict themselves, or are not a JPEG."""


class UnsupportedJPEGError(DctloadError):
    """A valid JPEG of a process that dctload does not decode."""


class LimitError(DctloadError):
    """The file exceeds one of the caller's limits."""


class TooSmallError(DctloadError, ValueError):
    """An image is too small for a transform.

    Attributes:
        places: Where several are transformed together, those that are, and why.
    """

    def __init__(
        self, message: str, *, places: dict[int, str] | None = None, **about: Any
    ):
        super().__init__(message, **about)
        self.places = places or {}

    @classmethod
    def among(cls, places: dict[int, str]) -> "TooSmallError":
        """The error for the images at ``places``, not yet named."""
        return cls(next(iter(places.values())), places=places)

    def of(self, place: int, name: str) -> "TooSmallError":
        """The error for one of them, whose file is ``name``."""
        return type(self)(f"{name}: {self.places[place]}", name=name)


class TooManyErrors(DctloadError):
    """More files failed than ``max_errors`` allows."""


def add_note(error: Exception, note: str) -> None:
    """Say where ``error`` comes from, if Python can: from 3.11 on."""
    if hasattr(error, "add_note"):
        error.add_note(note)
