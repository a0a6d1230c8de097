"""Motion correction beside RELION's own program, where it is installed: CPU seconds and memory."""

import shutil
import sys
import tempfile
from pathlib import Path

import mrcfile
import numpy as np
from measure import REPEATS, Cost, cost_of, table, verdict

sys.path.insert(0, str(Path(__file__).parents[1]))  # the movies are those of the tests

from tests.motion.movies import Scene, made

SCENE = Scene(size=2048, pixel_size=1.5, frames=16, dose=3.0)
PATCHES = 5
MOVIES = 4  # in one command
MOST_OF_RELIONS = 0.5
VITREOUS = Path(sys.executable).with_name("vitreous")
RELION = "relion_run_motioncorr"
OPTICS = """
data_optics
loop_
_rlnOpticsGroupName
_rlnOpticsGroup
_rlnMicrographOriginalPixelSize
_rlnVoltage
_rlnSphericalAberration
_rlnAmplitudeContrast
og1 1 {pixel} 300 2.7 0.1

data_movies
loop_
_rlnMicrographMovieName
_rlnOpticsGroup
"""


def write_movies(folder: Path, scene: Scene, count: int) -> list[Path]:
    """The same movie under several names, as int16."""
    movie, _, _ = made(scene)
    paths = [folder / f"m{number}.mrcs" for number in range(count)]
    with mrcfile.new(paths[0], movie.data.astype(np.int16)) as file:
        file.voxel_size = scene.pixel_size
    for path in paths[1:]:
        path.hardlink_to(paths[0])
    return paths


def ours(folder: Path, movies: list[Path], *options: str) -> list[str | Path]:
    """`vitreous motion` on one thread; local motion is corrected whatever its evidence."""
    return [
        *(VITREOUS, "motion", *movies, "--output", folder / "ours", "--cpus", "1"),
        *("--dose", str(SCENE.dose), "--proof=-1e9", *options),
    ]


def relions(folder: Path, movies: list[Path]) -> list[str | Path]:
    """RELION's own on one thread: dose weighting, 5 x 5 patches."""
    names, star = "".join(f"{path} 1\n" for path in movies), folder / f"{len(movies)}.star"
    star.write_text(OPTICS.format(pixel=SCENE.pixel_size) + names)
    return [
        *(RELION, "--use_own", "--j", "1", "--skip_logfile", "--i", star),
        *("--o", f"{folder}/relion/", "--dose_weighting"),
        *("--dose_per_frame", str(SCENE.dose / SCENE.frames)),
        *("--patch_x", str(PATCHES), "--patch_y", str(PATCHES)),
    ]


def in_turn(commands: list[list[str | Path]]) -> list[Cost]:
    """The cheapest run of each: they take turns, REPEATS times, for a machine's load changes."""
    rounds = [[cost_of(command) for command in commands] for _ in range(REPEATS)]
    return [min(runs, key=lambda cost: cost.cpu_seconds) for runs in zip(*rounds, strict=True)]


def motion_section(scene: Scene = SCENE) -> str:
    """The section of the page."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "tiny").mkdir()
        tiny = write_movies(folder / "tiny", Scene(size=64, frames=6, pixel_size=3.0), 1)
        movies = write_movies(folder, scene, MOVIES)
        commands = [
            ours(folder, tiny),
            ours(folder, movies[:1]),
            ours(folder, movies[:1], "--no-even-odd"),
            ours(folder, movies),
        ]
        is_here = shutil.which(RELION) is not None
        if is_here:
            commands += [relions(folder, movies[:1]), relions(folder, movies)]
        start_up, one, lean, all_of_them, *peers = in_turn(commands)
        rows = [
            ["vitreous motion, without its start-up", *cells(one, start_up)],
            ["the same without even and odd sums", *cells(lean, start_up)],
            ["one movie, start-up and all", *cells(one)],
            [f"{MOVIES} movies in one command, start-up and all", *cells(all_of_them)],
        ]
        what = (
            f"{scene.frames} frames of {scene.size} x {scene.size} px, int16, dose weighting, "
            "local motion corrected, one thread, file to file. Start-up: "
            f"{start_up.cpu_seconds:.2f} CPU s, of frames of 64 x 64 px."
        )
        if not is_here:
            missing = f"{RELION} is not installed here (Debian has it): no comparison."
            return "\n\n".join([what, missing, table(["", "CPU s", "peak, MB"], rows)])
        peer, peer_of_all = peers
    rows += [
        [f"RELION's own, {PATCHES} x {PATCHES} patches", *cells(peer)],
        [f"RELION's own, {MOVIES} movies", *cells(peer_of_all)],
    ]
    together = all_of_them.cpu_seconds / peer_of_all.cpu_seconds
    share = (one.cpu_seconds - start_up.cpu_seconds) / peer.cpu_seconds
    lines = [
        verdict(
            f"A movie, without start-up: {share:.2f} of RELION's CPU s; {MOST_OF_RELIONS} are due",
            share <= MOST_OF_RELIONS,
        ),
        f"- With its start-up: {one.cpu_seconds / peer.cpu_seconds:.2f}.",
        f"- {MOVIES} movies in one command, start-up and all: {together:.2f}.",
    ]
    return "\n\n".join([what, table(["", "CPU s", "peak, MB"], rows), "\n".join(lines)])


def cells(cost: Cost, start_up: Cost | None = None) -> list[str]:
    """CPU seconds and peak memory."""
    less = start_up.cpu_seconds if start_up else 0.0
    return [f"{cost.cpu_seconds - less:.2f}", f"{cost.peak_bytes / 1e6:.0f}"]


if __name__ == "__main__":
    print(motion_section())
