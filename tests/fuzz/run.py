"""Build and run the fuzz targets.

    python tests/fuzz/run.py fuzz decode --seconds 600      libFuzzer, ASan + UBSan
    python tests/fuzz/run.py fuzz decode --memory           the same under MSan
    python tests/fuzz/run.py replay                         every target on the seeds,
                                                            with any compiler
    python tests/fuzz/run.py replay --arch aarch64          the same, cross-compiled,
                                                            under qemu-user
    python tests/fuzz/run.py coverage --corpus build/fuzz/corpus/decode

Fuzzing needs clang with compiler-rt (Debian: clang libclang-rt-14-dev); what is found
is kept in build/fuzz/corpus/TARGET, a crash in build/fuzz/crashes.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
OUT = ROOT / "build" / "fuzz"
TARGETS = ["decode", "header", "region", "lanes", "variants", "roundtrip", "sample"]
TARGETS += ["libjpeg"]
NEEDS_ORACLE = {"libjpeg"}
WRAPPED = {"lanes": ["-Wl,--wrap=posix_memalign"]}
MAX_LEN = 20000
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


def run(command: list[str], **options) -> subprocess.CompletedProcess:
    """Run a command; its output is shown only if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done


def core_sources() -> list[Path]:
    """List the C core's files."""
    parts = ["*.c", "*/*.c", "*/*/*.c"]
    found = (path for part in parts for path in (ROOT / "csrc").glob(part))
    return sorted(path for path in found if "dali" not in path.parts)


def build(config: str, cc: str, flags: list[str], link: list[str], targets: list[str]):
    """Compile the core once and link each target; returns target -> program."""
    folder = OUT / config
    folder.mkdir(parents=True, exist_ok=True)
    flags = ["-std=gnu11", "-g", "-pthread", f"-I{ROOT / 'csrc'}", *flags]

    headers = [*(ROOT / "csrc").rglob("*.h"), *HERE.glob("*.h"), Path(__file__)]
    changed = max(path.stat().st_mtime for path in headers)

    def compile_one(source: Path) -> str:
        name = str(source.relative_to(ROOT)).replace("/", "_")
        target = folder / f"{name}.o"
        newest = max(changed, source.stat().st_mtime)
        if not target.exists() or target.stat().st_mtime < newest:
            run([cc, *flags, "-c", str(source), "-o", str(target)])
        return str(target)

    own = [HERE / "fuzz.c", *(HERE / f"fuzz_{name}.c" for name in targets)]
    own += [HERE / "replay.c"] if config.startswith("replay") else []
    if NEEDS_ORACLE & set(targets):
        own.append(HERE.parent / "oracle" / "oracle.c")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        core = list(pool.map(compile_one, core_sources()))
        objects = dict(zip(own, pool.map(compile_one, own), strict=True))
    programs = {}
    for name in targets:
        parts = [objects[HERE / "fuzz.c"], objects[HERE / f"fuzz_{name}.c"]]
        libs = ["-lm", "-pthread", *WRAPPED.get(name, [])]
        if HERE / "replay.c" in objects:
            parts.append(objects[HERE / "replay.c"])
        if name in NEEDS_ORACLE:
            parts.append(objects[HERE.parent / "oracle" / "oracle.c"])
            libs.append("-ljpeg")
        programs[name] = folder / name
        command = [cc, *flags, *link, *parts, *core, "-o", str(programs[name]), *libs]
        run(command)
    return programs


def write_seeds(folder: Path) -> Path:
    """Write the test corpus as files named by their content."""
    sys.path.insert(0, str(HERE.parent))
    import corpus_bad

    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for name, data in corpus_bad.seeds().items():
        files[f"{name}-{hashlib.sha1(data).hexdigest()[:8]}"] = data
    for path in folder.iterdir():
        if path.name not in files:
            path.unlink(missing_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def fuzz(args) -> int:
    """Fuzz one target for a while."""
    cc = os.environ.get("CLANG", "clang")
    if shutil.which(cc) is None:
        raise SystemExit("fuzzing needs clang and compiler-rt; 'replay' does not")
    kind = "memory" if args.memory else "address,undefined"
    if args.memory and args.target in NEEDS_ORACLE:
        raise SystemExit("MemorySanitizer needs a libjpeg built with it")
    flags = ["-O1", f"-fsanitize=fuzzer-no-link,{kind}", "-fno-sanitize-recover=all"]
    flags += ["-fno-omit-frame-pointer"]
    config = f"fuzz-{'msan' if args.memory else 'asan'}"
    link = [f"-fsanitize=fuzzer,{kind}"]
    program = build(config, cc, flags, link, [args.target])[args.target]
    seeds = write_seeds(OUT / "seeds")
    corpus, crashes = OUT / "corpus" / args.target, OUT / "crashes"
    corpus.mkdir(parents=True, exist_ok=True)
    crashes.mkdir(exist_ok=True)
    command = [str(program), str(corpus), str(seeds), f"-dict={HERE / 'jpeg.dict'}"]
    command += [f"-max_total_time={args.seconds}", f"-max_len={MAX_LEN}"]
    command += [f"-artifact_prefix={crashes}/{args.target}-", "-timeout=20"]
    command += ["-rss_limit_mb=4096", "-print_final_stats=1", "-use_value_profile=1"]
    return subprocess.run(command).returncode


def replay_commands(targets: list[str], arch: str | None = None):
    """Build targets under ASan and UBSan, or for another CPU; target -> command."""
    # -O0: the seeds take a second or two, optimising the core under ASan half a minute.
    cc, flags = os.environ.get("CC", "cc"), ["-O0", *SANITIZE]
    config, emulator = "replay", []
    if arch:
        cc, flags, config = f"{arch}-linux-gnu-gcc", ["-O2"], f"replay-{arch}"
        emulator = [f"qemu-{arch}", "-L", f"/usr/{arch}-linux-gnu"]
        targets = [name for name in targets if name not in NEEDS_ORACLE]
    programs = build(config, cc, flags, flags, targets)
    seeds = write_seeds(OUT / "seeds")
    return {
        name: [*emulator, str(program), str(seeds)]
        for name, program in programs.items()
    }


def replay(args) -> int:
    """Run targets on stored files."""
    for name, command in replay_commands(args.targets, args.arch).items():
        command += args.paths
        if subprocess.run(command).returncode != 0:
            print(f"{name} failed; REPLAY_NAMES=1 {' '.join(command)} names the file")
            return 1
    return 0


def coverage(args) -> int:
    """Print which share of csrc/jpeg's lines a corpus reaches (gcov)."""
    cc = os.environ.get("CC", "cc")
    folder = OUT / "replay-coverage"
    shutil.rmtree(folder, ignore_errors=True)
    programs = build(folder.name, cc, ["-O1", "--coverage"], [], args.targets)
    for program in programs.values():
        run([str(program), str(write_seeds(OUT / "seeds")), *args.corpus])
    notes = sorted(str(path) for path in folder.glob("csrc_jpeg_*.gcno"))
    text = run(["gcov", "-n", *notes], cwd=folder).stdout
    found = re.findall(
        r"File '(.*csrc/jpeg/.*)'\nLines executed:([\d.]+)% of (\d+)", text
    )
    total = sum(int(n) for _, _, n in found)
    hit = sum(float(percent) / 100 * int(n) for _, percent, n in found)
    for path, percent, n in sorted(set(found)):
        print(f"{Path(path).name:24} {float(percent):6.1f} % of {n}")
    print(f"{'all':24} {100 * hit / total:6.1f} % of {total}")
    return 0


def main() -> int:
    """Run one command."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(required=True)
    sub = commands.add_parser("fuzz")
    sub.add_argument("target", choices=TARGETS)
    sub.add_argument("--seconds", type=int, default=600)
    sub.add_argument("--memory", action="store_true", help="MSan in place of ASan")
    sub.set_defaults(run=fuzz)
    sub = commands.add_parser("replay")
    sub.add_argument("paths", nargs="*", help="more files or folders")
    sub.add_argument("--targets", nargs="+", choices=TARGETS, default=TARGETS)
    sub.add_argument("--arch", help="another CPU, by qemu-user, e.g. aarch64")
    sub.set_defaults(run=replay)
    sub = commands.add_parser("coverage")
    sub.add_argument("--corpus", nargs="*", default=[], help="more files or folders")
    sub.add_argument("--targets", nargs="+", choices=TARGETS, default=TARGETS)
    sub.set_defaults(run=coverage)
    args = parser.parse_args()
    return args.run(args)


if __name__ == "__main__":
    sys.exit(main())
