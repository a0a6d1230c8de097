"""What a page shows: what became of a series, its tilts, its tomogram and its steps."""

from dataclasses import dataclass, field
from typing import Any, Literal

from vitreous.report.movie_facts import Gain, Moved, Transfer

How = Literal["done", "failed", "running", "interrupted", "waiting", "given"]

STEP_NAMES = {
    "gain": "gain reference",
    "motion": "motion correction",
    "newstack": "stack",
    "align": "alignment",
    "ctf": "CTF estimation",
    "reconstruct": "reconstruction",
}


@dataclass(frozen=True, slots=True)
class Tilt:
    """One tilt: where it was found, how it fits the others, or why it is left out.

    number: its section, from 1. degrees: the refined angle; shift: of the specimen's origin from
    the image's centre, angstrom. None is what isn't known.
    """

    number: int
    nominal_degrees: float
    degrees: float | None = None
    axis_degrees: float | None = None
    shift_angstrom: tuple[float, float] | None = None
    score: float | None = None
    residual_angstrom: float | None = None
    trusted: bool | None = None
    repaired_pixels: int | None = None
    left_out: str = ""


@dataclass(frozen=True, slots=True)
class Slab:
    """The specimen in z: thickness and tilt; profile: (height in angstrom, agreement there)."""

    thickness_angstrom: float
    centre_angstrom: float
    along_x_degrees: float
    along_y_degrees: float
    profile: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Aligned:
    """What the alignment found. axis_curve: (axis in degrees, agreement). score: of the series."""

    axis_degrees: float
    nominal_axis_degrees: float | None
    nominal_axis_source: str
    score: float
    trusted: bool
    tilts: tuple[Tilt, ...]
    axis_curve: tuple[tuple[float, float], ...]
    slab: Slab

    @property
    def used(self) -> tuple[Tilt, ...]:
        """The tilts that have a place in the alignment."""
        return tuple(tilt for tilt in self.tilts if tilt.shift_angstrom is not None)

    @property
    def axis_difference_degrees(self) -> float | None:
        """From the nominal axis to the one found, -90 to 90: opposite axes count as one."""
        if self.nominal_axis_degrees is None:
            return None
        return (self.axis_degrees - self.nominal_axis_degrees + 90) % 180 - 90

    @property
    def repaired_pixels(self) -> int:
        """Hot pixels, X-rays and missing pixels that were replaced, in all tilts."""
        return sum(tilt.repaired_pixels or 0 for tilt in self.tilts)


@dataclass(frozen=True, slots=True)
class Tomogram:
    """size (x, y, z) voxels of voxel_size angstrom; tilts: how many were used and left out."""

    size: tuple[int, int, int]
    voxel_size: float
    used: int
    left_out: int
    grid: str
    scaling: str
    voxels_cut: int


@dataclass(frozen=True, slots=True)
class Sheet:
    """A JPEG of many frames of one size, `across` side by side."""

    jpeg: bytes
    count: int
    across: int
    width: int
    height: int

    @property
    def down(self) -> int:
        """Rows of frames."""
        return -(-self.count // self.across)

    def place(self, frame: int) -> tuple[int, int]:
        """Column and row of a frame."""
        return frame % self.across, frame // self.across


@dataclass(frozen=True, slots=True)
class Plane:
    """Slices for one slider. along: the axis that it moves; n voxels; voxels: what a frame means.

    axes: what runs to the right and what upwards.
    """

    name: str
    along: str
    axes: tuple[str, str]
    sheet: Sheet
    voxels: tuple[tuple[int, int], ...]
    n: int

    @property
    def middle(self) -> int:
        """The frame that is shown first."""
        return self.sheet.count // 2

    @property
    def at(self) -> list[float]:
        """Of each frame its middle, as a share of the axis."""
        return [round((first + last) / 2 / self.n, 4) for first, last in self.voxels]

    @property
    def told(self) -> list[str]:
        """Of each frame the sections that it averages, counted from 1."""
        return [
            f"{first + 1}\u2013{last} of {self.n}" if last > first + 1 else f"{last} of {self.n}"
            for first, last in self.voxels
        ]


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a series: how it stands, what it cost, what was set otherwise than by default."""

    name: str
    how: How
    why: str = ""
    hint: str = ""
    wall_seconds: float | None = None
    cpu_seconds: float | None = None
    peak_memory_bytes: int | None = None
    changed: dict[str, Any] = field(default_factory=dict)
    finished: str = ""
    versions: tuple[str, ...] = ()
    last_lines: str = ""

    @property
    def title(self) -> str:
        """The step as a noun."""
        return STEP_NAMES.get(self.name, self.name)

    @property
    def is_behind(self) -> bool:
        """Whether nothing is left to do in it."""
        return self.how in ("done", "given")


@dataclass(frozen=True, slots=True)
class File:
    """A file of the series: its path below the series' folder, and its size."""

    path: str
    size: int


@dataclass(frozen=True, slots=True)
class Series:
    """All that is known of one series. key: a small JPEG that stands for it; hand: of its maps."""

    name: str
    how: How
    steps: tuple[Step, ...]
    warnings: tuple[str, ...] = ()
    aligned: Aligned | None = None
    tomogram: Tomogram | None = None
    hand: str = ""
    tiles: Sheet | None = None
    planes: tuple[Plane, ...] = ()
    key: bytes | None = None
    files: tuple[File, ...] = ()
    gain: Gain | None = None
    moved: tuple[Moved, ...] = ()
    transfer: Transfer | None = None

    @property
    def stopped(self) -> Step | None:
        """The step that isn't done."""
        return next((step for step in self.steps if not step.is_behind), None)

    @property
    def earlier(self) -> list[str]:
        """Of which steps all that is shown was left by an earlier run."""
        return [step.title for step in self.steps if step.versions and not step.is_behind]

    @property
    def wall_seconds(self) -> float:
        """Of all steps."""
        return sum(step.wall_seconds or 0 for step in self.steps)

    @property
    def cpu_seconds(self) -> float:
        """Of all steps."""
        return sum(step.cpu_seconds or 0 for step in self.steps)

    @property
    def trust(self) -> str:
        """Whether the alignment can be trusted, in words; empty where there is none of ours."""
        if self.aligned is None:
            return "alignment given" if self.tomogram else ""
        if not self.aligned.trusted:
            return "not trusted"
        doubtful = sum(tilt.trusted is False for tilt in self.aligned.tilts)
        if not doubtful:
            return "trusted"
        return f"trusted but for {doubtful} tilt{'s' if doubtful > 1 else ''}"

    @property
    def tilts_used(self) -> tuple[int, int] | None:
        """How many tilts have a part, of how many."""
        if self.tomogram:
            return self.tomogram.used, self.tomogram.used + self.tomogram.left_out
        if self.aligned:
            return len(self.aligned.used), len(self.aligned.tilts)
        return None

    @property
    def sentence(self) -> str:
        """What happened, in one sentence."""
        parts = []
        new = {step.name for step in self.steps if step.is_behind}
        tomogram = self.tomogram if "reconstruct" in new else None
        if self.moved and "motion" in new:
            corrected = sum(not each.left_out for each in self.moved)
            parts.append(f"{corrected} of {len(self.moved)} movies corrected")
        if self.aligned and "align" in new:
            used, of = len(self.aligned.used), len(self.aligned.tilts)
            parts.append(f"{used} of {of} tilts aligned, {self.trust}")
        elif tomogram:
            of = tomogram.used + tomogram.left_out
            parts.append(f"{tomogram.used} of {of} tilts used, in an alignment that was given")
        if tomogram:
            size = " \u00d7 ".join(map(str, tomogram.size))
            parts.append(f"tomogram of {size} voxels at {tomogram.voxel_size:.4g} \u00c5")
        if step := self.stopped:
            parts.append(_stopped(step))
        said = "; ".join(parts)
        return said[:1].upper() + said[1:] + "."


def _stopped(step: Step) -> str:
    match step.how:
        case "failed":
            return f"the {step.title} failed"
        case "running":
            return f"the {step.title} is under way"
        case "interrupted":
            return f"the {step.title} was interrupted: the same command goes on with it"
    return f"the {step.title} hasn't begun"
