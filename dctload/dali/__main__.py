"""``python -m dctload.dali``: compile the operators now, e.g. into an image."""

import argparse
import sys
from pathlib import Path

from . import _build, _plugin


def main() -> int:
    """Compile the operators for the DALI that is installed."""
    parser = argparse.ArgumentParser(prog="python -m dctload.dali", description=__doc__)
    parser.add_argument(
        "--prebuilt",
        action="store_true",
        help="put them into the package, where no cache is needed",
    )
    arguments = parser.parse_args()
    dali = _plugin.import_dali()
    folder = _build.PREBUILT if arguments.prebuilt else _build.cache_folder()
    target = Path(folder) / _build.file_name(dali)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            _build.compile_to(target, dali)
    except (OSError, _build.CannotBuildError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{target}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
