"""Build ``dctload._core`` from ``csrc/``.

The public header is the only declaration of the C API: cffi parses the text
between its two "cffi:" lines.

Environment switches, for tests:

    DCTLOAD_SANITIZE=address,undefined   compile with these sanitizers
    DCTLOAD_COVERAGE=1                   gcov instrumentation
    DCTLOAD_DEBUG=1                      -O0, assertions kept
"""

import os
import re
from pathlib import Path

from cffi import FFI

ROOT = Path(__file__).resolve().parent.parent
CSRC = ROOT / "csrc"


def _flags() -> tuple[list[str], list[str]]:
    compile_args = ["-std=gnu11", "-O3", "-fvisibility=hidden", "-DNDEBUG"]
    compile_args += ["-Wno-psabi"]  # vectors are passed within a file only
    link_args = ["-pthread"]
    if os.environ.get("DCTLOAD_DEBUG"):
        compile_args = ["-std=gnu11", "-O0", "-g", "-fvisibility=hidden"]
    if sanitizers := os.environ.get("DCTLOAD_SANITIZE"):
        sanitize = [f"-fsanitize={sanitizers}", "-fno-sanitize-recover=all"]
        compile_args += [*sanitize, "-O1", "-g", "-fno-omit-frame-pointer"]
        link_args += sanitize
    if os.environ.get("DCTLOAD_COVERAGE"):
        compile_args += ["--coverage", "-O0"]
        link_args += ["--coverage"]
    return compile_args, link_args


def _sources() -> list[str]:
    """Every C file of the core; those of other CPUs guard themselves."""
    parts = ["*.c"]
    for folder in ("jpeg", "dct", "engine"):
        parts += [f"{folder}/*.c", f"{folder}/*/*.c"]
    found = sorted(path for part in parts for path in CSRC.glob(part))
    return [str(path.relative_to(ROOT)) for path in found]


ffi = FFI()
_header = (CSRC / "dctload.h").read_text()
(_public,) = re.findall(r"/\* cffi: begin.*?\*/(.*?)/\* cffi: end \*/", _header, re.S)
ffi.cdef(_public)

_compile_args, _link_args = _flags()
ffi.set_source(
    "dctload._core",
    '#include "dctload.h"',
    sources=_sources(),
    depends=[str(path.relative_to(ROOT)) for path in sorted(CSRC.rglob("*.h"))],
    include_dirs=["csrc"],
    extra_compile_args=_compile_args,
    extra_link_args=_link_args,
    libraries=["m"],
)
