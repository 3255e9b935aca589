"""Builds the C core; everything else about the package is in pyproject.toml."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

CSRC = Path("csrc")


class BuildWithOperators(build_py):
    """Puts the sources of the DALI operators into the package: see dctload/dali."""

    def run(self):
        super().run()
        if getattr(self, "editable_mode", False):
            return  # a clone has them beside the package
        for path in [CSRC / "dctload.h", *(CSRC / "dali").rglob("*.*")]:
            target = Path(self.build_lib, "dctload", "dali", path)
            self.mkpath(str(target.parent))
            self.copy_file(str(path), str(target))


setup(
    cffi_modules=["dctload/_ffi_build.py:ffi"],
    cmdclass={"build_py": BuildWithOperators},
)
