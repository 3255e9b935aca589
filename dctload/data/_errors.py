"""What becomes of a file that cannot be read or decoded."""

import logging
from typing import Literal, get_args

from ..errors import DctloadError, TooManyErrors
from .timing import LoaderStats

OnError = Literal["raise", "replace", "skip"]

log = logging.getLogger("dctload")

# Names kept: beyond that only the count grows.
_MAX_NAMES = 1000


def forget_frames(error: Exception) -> Exception:
    """An error about a file, as it will be raised; not what was being done.

    An error that is kept would keep whole batches by its frames. Other errors, as
    of a transform, are raised soon, and need to tell where they come from.
    """
    about: BaseException | None = error
    seen: set[int] = set()
    if isinstance(error, (DctloadError, OSError)):
        while about is not None and id(about) not in seen:
            seen.add(id(about))  # an error may be its own cause
            about.__traceback__ = None
            about = about.__cause__ or about.__context__
    return error


class ErrorPolicy:
    """Raises, or counts and logs, one error after the other.

    A file is logged once, however often it is met. ``max_errors`` bounds the
    number of different files that may fail: a count, or as a float a share of
    the data set.
    """

    def __init__(
        self,
        on_error: OnError,
        max_errors: int | float | None,
        num_samples: int,
        stats: LoaderStats,
    ):
        if on_error not in get_args(OnError):
            raise ValueError(
                f"on_error must be one of {get_args(OnError)}, got {on_error!r}"
            )
        if max_errors is not None and not max_errors >= 0:
            raise ValueError(f"max_errors must be >= 0, got {max_errors}")
        if isinstance(max_errors, float) and max_errors > 1:
            raise ValueError(
                f"max_errors as a float is a share of the data set, got {max_errors}"
            )
        self.on_error = on_error
        self._stats = stats
        self._seen: set[str] = set()
        self._allowed: float | None = max_errors
        if isinstance(max_errors, float):
            self._allowed = max_errors * num_samples

    def failed(self, name: str, error: Exception) -> None:
        """Take note of ``error``, or raise it.

        Raises:
            Exception: ``error`` itself, if it is to be raised or is not about a
                file.
            TooManyErrors: More files have failed than allowed.
        """
        if not isinstance(error, (DctloadError, OSError)):
            raise error
        stats = self._stats
        stats.errors += 1
        if self.on_error == "raise":
            stats.bad_files[name] = str(error)
            raise error
        if len(stats.bad_files) < _MAX_NAMES:
            stats.bad_files[name] = str(error)
        if name in self._seen:
            return
        self._seen.add(name)
        log.warning("%s (%s)", error, f"on_error={self.on_error!r}")
        if self._allowed is not None and len(self._seen) > self._allowed:
            raise TooManyErrors(
                f"{len(self._seen)} files failed, max_errors allows "
                f"{self._allowed:g}; the last one: {error}",
                name=name,
            ) from error
