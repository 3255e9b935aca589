"""Coefficients to whole JPEGs, any sampling, scans and progressions.

``scan_events`` turns coefficients into what one scan says, ``encode_image`` writes a
file from coefficients and a list of ``Scan``. Both are slow and plain.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jpegwriter import (
    EOB,
    SOF0,
    SOF2,
    SOI,
    STD,
    ZIGZAG,
    ZRL,
    Event,
    Writer,
    entropy_bytes,
    table_for,
)

MAX_EOB_RUN = 0x7FFF


@dataclass(frozen=True)
class Component:
    """One component of a frame header."""

    id: int
    h: int = 1
    v: int = 1
    quant: int = 0


@dataclass(frozen=True)
class Scan:
    """One scan: which components, which coefficients, which of their bits.

    Attributes:
        components: Indices into the frame.
        dc, ac: Table slots; by default 0 for component 0, else 1.
        restart: MCUs between restart markers; None: as before.
        zrl: Write runs of 16 zeros out before an end of block, which T.81 allows
            and no encoder does.
        max_eob_run: Blocks that one end-of-band run may cover.
        style: What tables are made of, see ``table_for``; "std" and "none" take
            those of T.81 K.3, with and without a DHT.
    """

    components: tuple[int, ...]
    ss: int = 0
    se: int = 63
    ah: int = 0
    al: int = 0
    dc: tuple[int, ...] | None = None
    ac: tuple[int, ...] | None = None
    restart: int | None = None
    zrl: bool = False
    max_eob_run: int = MAX_EOB_RUN
    style: str = "flat"

    def slots(self, kind: str) -> tuple[int, ...]:
        """Return the table slot of each component."""
        given = self.dc if kind == "dc" else self.ac
        return given or tuple(int(c > 0) for c in self.components)


@dataclass
class Image:
    """Coefficients and what describes them.

    Attributes:
        planes: int16 ``(by, bx, 64)`` of each component in natural order, padded to
            whole MCUs: what is written beyond the grid is there too.
        qtables: Table slot to uint16 (64,) in natural order.
    """

    width: int
    height: int
    components: list[Component]
    planes: list[np.ndarray]
    qtables: dict[int, np.ndarray] = field(default_factory=dict)

    @property
    def h_max(self) -> int:
        """Largest horizontal sampling factor."""
        return max(comp.h for comp in self.components)

    @property
    def v_max(self) -> int:
        """Largest vertical sampling factor."""
        return max(comp.v for comp in self.components)

    def grid(self, c: int) -> tuple[int, int]:
        """Blocks (down, across) of component c, not padded."""
        comp = self.components[c]
        down = -(-self.height * comp.v // (8 * self.v_max))
        return down, -(-self.width * comp.h // (8 * self.h_max))

    def cut(self) -> list[np.ndarray]:
        """Planes as a decoder gives them: ``(by, bx, 8, 8)``, without padding."""
        out = []
        for c, plane in enumerate(self.planes):
            down, across = self.grid(c)
            out.append(plane[:down, :across].reshape(down, across, 8, 8).copy())
        return out


def new_image(width: int, height: int, sampling: Sequence[tuple[int, int]]) -> Image:
    """Make an image of zeros with components 1, 2, ... of these (h, v)."""
    components = [
        Component(i + 1, h, v, int(i > 0)) for i, (h, v) in enumerate(sampling)
    ]
    image = Image(width, height, components, [])
    mcus_w = -(-width // (8 * image.h_max))
    mcus_h = -(-height // (8 * image.v_max))
    image.planes = [
        np.zeros((mcus_h * comp.v, mcus_w * comp.h, 64), np.int16)
        for comp in components
    ]
    for comp in components:
        image.qtables[comp.quant] = np.arange(1, 65, dtype=np.uint16) + comp.quant
    return image


def random_image(
    width: int,
    height: int,
    sampling: Sequence[tuple[int, int]],
    seed: int = 0,
    density: float = 0.2,
    ac_bits: int = 10,
    dc_range: int = 1023,
) -> Image:
    """Make an image of random coefficients, padding included.

    Values are spread evenly over their numbers of bits, up to what baseline allows.
    """
    rng = np.random.default_rng([seed, width, height, len(sampling)])
    image = new_image(width, height, sampling)
    for plane in image.planes:
        nbits = rng.integers(1, ac_bits + 1, plane.shape)
        values = rng.integers(0, 1 << nbits) * rng.choice([-1, 1], plane.shape)
        plane[:] = values * (rng.random(plane.shape) < density)
        plane[..., 0] = rng.integers(-dc_range, dc_range + 1, plane.shape[:2])
    return image


def _nbits(value: int) -> int:
    return abs(value).bit_length()


def _extra(value: int) -> int:
    """T.81 F.1.2.1: negative values are sent as their ones' complement."""
    return value if value >= 0 else value - 1


def _shift(value: int, al: int) -> int:
    """T.81 G.1.2.1: AC values are divided, towards zero."""
    return value >> al if value >= 0 else -(-value >> al)


class _ScanCoder:
    """Events of one scan, an MCU at a time."""

    def __init__(self, scan: Scan, progressive: bool):
        self.scan = scan
        self.progressive = progressive
        self.intervals: list[list[Event]] = []
        self.eob_run = 0
        self.eob_bits: list[int] = []
        self.restart()

    def restart(self) -> None:
        if self.intervals:
            self.end_run()
        self.events: list[Event] = []
        self.intervals.append(self.events)
        self.pred: Counter[int] = Counter()

    def block(self, i: int, block: np.ndarray) -> None:
        """Code a block of the scan's i-th component, in natural order."""
        values = [int(block[n]) for n in ZIGZAG]
        scan = self.scan
        if not self.progressive:
            self.dc_first(i, values[0])
            self.ac_sequential(i, values)
        elif scan.ss == 0:
            if scan.ah == 0:
                self.dc_first(i, values[0] >> scan.al)
            else:
                self.events.append((None, 0, values[0] >> scan.al & 1, 1))
        elif scan.ah == 0:
            self.ac_first(values)
        else:
            self.ac_refine(values)

    def dc_first(self, i: int, value: int) -> None:
        diff = value - self.pred[i]
        self.pred[i] = value
        table = ("dc", self.scan.slots("dc")[i])
        self.events.append((table, _nbits(diff), _extra(diff), _nbits(diff)))

    def coefs(self, table, values, ss: int, se: int) -> int:
        """Code what is not zero; returns how many zeros are left."""
        run = 0
        for k in range(ss, se + 1):
            if values[k] == 0:
                run += 1
                continue
            self.end_run()
            while run > 15:
                self.events.append((table, ZRL, 0, 0))
                run -= 16
            n = _nbits(values[k])
            self.events.append((table, run << 4 | n, _extra(values[k]), n))
            run = 0
        return run

    def ac_sequential(self, i: int, values: list[int]) -> None:
        table = ("ac", self.scan.slots("ac")[i])
        run = self.coefs(table, values, 1, 63)
        while self.scan.zrl and run > 15:
            self.events.append((table, ZRL, 0, 0))
            run -= 16
        if run:
            self.events.append((table, EOB, 0, 0))

    @property
    def ac_table(self) -> tuple[str, int]:
        return ("ac", self.scan.slots("ac")[0])

    def end_run(self) -> None:
        """Send the end-of-band run, then its blocks' correction bits."""
        if self.eob_run:
            n = self.eob_run.bit_length() - 1
            self.events.append((self.ac_table, n << 4, self.eob_run, n))
            self.eob_run = 0
        self.bits(self.eob_bits)

    def bits(self, bits: list[int]) -> None:
        self.events += [(None, 0, bit, 1) for bit in bits]
        bits.clear()

    def add_to_run(self, bits: Sequence[int] = ()) -> None:
        self.eob_run += 1
        self.eob_bits += bits
        if self.eob_run >= self.scan.max_eob_run:
            self.end_run()

    def ac_first(self, values: list[int]) -> None:
        """T.81 G.1.2.2."""
        scan = self.scan
        shifted = [_shift(v, scan.al) for v in values]
        run = self.coefs(self.ac_table, shifted, scan.ss, scan.se)
        while scan.zrl and run > 15:
            self.end_run()
            self.events.append((self.ac_table, ZRL, 0, 0))
            run -= 16
        if run:
            self.add_to_run()

    def ac_refine(self, values: list[int]) -> None:
        """T.81 G.1.2.3: new coefficients, and a bit for each that is known."""
        scan = self.scan
        size = [abs(v) >> scan.al for v in values]
        band = range(scan.ss, scan.se + 1)
        last_new = max((k for k in band if size[k] == 1), default=-1)
        run, known = 0, []
        for k in band:
            if size[k] == 0:
                run += 1
                continue
            while run > 15 and k <= last_new:
                self.end_run()
                self.events.append((self.ac_table, ZRL, 0, 0))
                self.bits(known)
                run -= 16
            if size[k] > 1:
                known.append(size[k] & 1)
                continue
            self.end_run()
            self.events.append((self.ac_table, run << 4 | 1, values[k] > 0, 1))
            self.bits(known)
            run = 0
        if run or known:
            self.add_to_run(known)


def scan_events(
    image: Image, scan: Scan, progressive: bool, restart: int = 0
) -> list[list[Event]]:
    """List what the scan says, by restart interval."""
    coder = _ScanCoder(scan, progressive)
    if len(scan.components) == 1:
        (c,) = scan.components
        down, across = image.grid(c)
        shapes = [(1, 1)]
    else:
        down = -(-image.height // (8 * image.v_max))
        across = -(-image.width // (8 * image.h_max))
        comps = [image.components[c] for c in scan.components]
        shapes = [(comp.v, comp.h) for comp in comps]
    for mcu in range(down * across):
        if restart and mcu and mcu % restart == 0:
            coder.restart()
        y, x = divmod(mcu, across)
        for i, (c, (v, h)) in enumerate(zip(scan.components, shapes, strict=True)):
            for by in range(y * v, y * v + v):
                for bx in range(x * h, x * h + h):
                    coder.block(i, image.planes[c][by, bx])
    coder.end_run()
    return coder.intervals


# ---- whole files -------------------------------------------------------------


def interleaved(image: Image, **options) -> list[Scan]:
    """Return the usual plan: one scan of everything."""
    return [Scan(tuple(range(len(image.components))), **options)]


def one_each(image: Image, **options) -> list[Scan]:
    """Return a plan of one scan per component."""
    return [Scan((c,), **options) for c in range(len(image.components))]


def progression(image: Image, **options) -> list[Scan]:
    """Return libjpeg's plan: spectral selection and successive approximation."""
    everything = tuple(range(len(image.components)))
    plan = [Scan(everything, 0, 0, 0, 1, **options)]
    for c in everything:
        plan.append(Scan((c,), 1, 5, 0, 2, **options))
        plan.append(Scan((c,), 6, 63, 0, 2, **options))
        plan.append(Scan((c,), 1, 63, 2, 1, **options))
    plan.append(Scan(everything, 0, 0, 1, 0, **options))
    plan += [Scan((c,), 1, 63, 1, 0, **options) for c in everything]
    return plan


def tables_of(intervals: Sequence[Sequence[Event]], style: str):
    """Make the tables that these events need."""
    symbols: dict[tuple[str, int], list[int]] = {}
    for events in intervals:
        for table, symbol, _, _ in events:
            if table is not None:
                symbols.setdefault(table, []).append(symbol)
    if style in ("std", "none"):
        return {key: STD[key] for key in symbols}
    return {key: table_for(found, style) for key, found in symbols.items()}


def encode_image(
    image: Image,
    scans: Sequence[Scan],
    *,
    sof: int = SOF0,
    head: bytes = b"",
    before: dict[int, bytes] | None = None,
    fill: int = 0,
    eoi: bytes = b"\xff\xd9",
    tail: bytes = b"",
) -> bytes:
    """Write a whole file.

    Args:
        image: What to write.
        scans: In what order.
        sof: The frame's marker; SOF2 makes it progressive.
        head: Segments right after SOI, such as APPn.
        before: Bytes to put in front of scan i's tables.
        fill: This many 0xFF before each marker of the scans.
        eoi: The end of the image.
        tail: What follows it.
    """
    w = Writer()
    w.marker(SOI)
    w.raw(head)
    for slot, table in image.qtables.items():
        w.dqt(slot, table, bits16=int(table.max()) > 255)
    w.sof(sof, image.width, image.height, image.components)
    restart = 0
    for i, scan in enumerate(scans):
        w.raw((before or {}).get(i, b""))
        if scan.restart is not None and scan.restart != restart:
            restart = scan.restart
            w.raw(b"\xff" * fill)
            w.dri(restart)
        intervals = scan_events(image, scan, sof == SOF2, restart)
        tables = tables_of(intervals, scan.style)
        if tables and scan.style != "none":
            w.raw(b"\xff" * fill)
            w.dht(tables)
        w.raw(b"\xff" * fill)
        slots = zip(scan.components, scan.slots("dc"), scan.slots("ac"), strict=True)
        selectors = [(image.components[c].id, dc, ac) for c, dc, ac in slots]
        w.sos(selectors, scan.ss, scan.se, scan.ah, scan.al)
        w.raw(entropy_bytes(intervals, tables))
    w.raw(b"\xff" * fill + eoi + tail)
    return bytes(w.out)
