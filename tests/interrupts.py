"""Ctrl-C at a place of the test's choice."""

import sys
from collections.abc import Callable
from typing import Any


def interrupted(function: Callable[[], Any], place: int, folder: str) -> bool:
    """Call ``function``, and press Ctrl-C there; whether it came so far.

    CPython raises KeyboardInterrupt where a function of Python's begins, and when
    one of C's has returned: the profiler is called in the same places.

    Args:
        function: Anything.
        place: Which of those that are in code below ``folder``, from 0.
        folder: A part of the path of the code's file.
    """
    left = place

    def press(frame: Any, event: str, argument: Any) -> None:
        nonlocal left
        if event in ("call", "c_return") and folder in frame.f_code.co_filename:
            left -= 1
            if left == -1:
                raise KeyboardInterrupt

    sys.setprofile(press)
    try:
        function()
    except KeyboardInterrupt:
        return True
    finally:
        sys.setprofile(None)
    return False
