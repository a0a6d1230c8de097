"""EMAN2's e2make3dpar.py: a map from projections, as its options ask for it."""

import argparse
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitreous.average.processors import Processor, read_processors
from vitreous.average.projection_settings import ProjectionSettings
from vitreous.average.projections import (
    ProjectionMap,
    Projections,
    Seed,
    memory,
    reconstruct_projections,
)
from vitreous.errors import UserError
from vitreous.faces.eman2_files import (
    check_output,
    check_structure,
    imposed_structure,
    write_norm,
)
from vitreous.faces.eman2_options import MODES, padded_size, sizes
from vitreous.faces.eman2_workers import Workers, workers_of
from vitreous.formats.imod import read_angles
from vitreous.formats.projection_files import (
    ProjectionFile,
    open_projections,
    read_transforms,
    require_images,
)
from vitreous.kernels import machine
from vitreous.pipeline.map_files import MapFile, map_header, write_map
from vitreous.pipeline.projections import (
    FILES,
    Keep,
    Listed,
    PreparedImages,
    View,
    Weighting,
    any_volume,
    as_projections,
    blanked_edges,
    kept,
    listed,
    processed,
    require_memory,
    say_left_out,
    tilted,
    with_content,
)
from vitreous.records.progress import ignore_progress

log = logging.getLogger(__name__)

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Chosen:
    """The images that are used, and the numbers of those that quality leaves out."""

    views: list[View]
    images: PreparedImages
    excluded: list[int]


def make3d(options: argparse.Namespace) -> None:
    """Make the map that a command line asks for, and write it."""
    print(f"{options.program}.py")
    say_what_differs(options)
    before, after = (
        read_processors(texts, FILES) for texts in (options.preprocess, options.postprocess)
    )
    output = check_output(options)
    check_structure(options.setsf)
    file = open_projections(Path(options.input))
    settings = settings_of(options, file)
    print(f"{section_count(file, options)}  input images")

    chosen = choose(options, file, settings, before)
    projections = as_projections(
        chosen.views, chosen.images, options.usessnr and not options.iterative
    )
    print(f"Using {len(chosen.views)} images")
    say_sizes(options, projections, settings)

    found = computed(options, projections, settings, workers_of(options))
    finish(options, output, file, found, chosen, after)


def say_what_differs(options: argparse.Namespace) -> None:
    """What is accepted but not done as EMAN2 does it."""
    if options.iter is not None:
        log.info("--iter is no longer needed: one pass is enough")
    if MODES[options.mode].startswith("kaiser"):
        log.info(
            "--mode %s: our Kaiser-Bessel kernel of that width; divided by its weights it needs no "
            "radial correction",
            options.mode,
        )
    if options.no_wt and options.sqrt_wt:
        log.warning("--no_wt and --sqrt_wt: the square root counts")
    if options.iterative and options.usessnr:
        log.warning("--usessnr has no say with --iterative")


def settings_of(options: argparse.Namespace, file: ProjectionFile) -> ProjectionSettings:
    """EMAN2's options as settings of the engine."""
    y, x = file.size[-2:]
    kernel = MODES[options.mode]
    corrects = not options.noradcor and not kernel.startswith("kaiser")
    return ProjectionSettings.model_validate(
        {
            "kernel": kernel,
            "padded": padded_size(options.pad, (x, y)),
            "transform_size": sizes(options.padvol, "padvol", (1, 3)),
            "size": sizes(options.outsize, "outsize", (1, 3)),
            "symmetry": options.sym,
            "symmetry_axes": "eman2",
            "correction": "eman2" if corrects else "none",
            "weight_floor": 0.0,
            "iterative": options.iterative,
            "fill_angle": options.fillangle,
            "seed_as_reference": options.useseedasref,
            "conventions": "eman2",
        }
    )


def section_count(file: ProjectionFile, options: argparse.Namespace) -> int:
    """Images of the input; with --tlt the sections of a volume."""
    if options.tlt is not None and len(file.size) == 3:
        return file.size[0]
    return file.count


# -- which images ---------------------------------------------------------------------------------


def choose(
    options: argparse.Namespace,
    file: ProjectionFile,
    settings: ProjectionSettings,
    processors: list[Processor],
) -> Chosen:
    """The images by orientation, weight, content and quality; the others are named."""
    found = by_angles(options, file) if options.tlt is not None else by_headers(options, file)
    say_left_out(file.path, found.left_out)
    if not found.views:
        reasons = "; ".join(found.left_out)
        raise UserError(f"{file.path}: no image is left to make a map of ({reasons})")
    good, lost = kept(found.views, options.keep, keep_rule(options))
    if not good:
        raise UserError(
            f"--keep {options.keep:g} leaves no image: the best quality is "
            f"{min(view.quality for view in found.views):g}"
        )
    if options.verbose > 0:
        print(f"Filtering data, {len(found.views)} images -> After filter, {len(good)} images")
    images = prepared(options, file, settings, good, processors)
    filled = with_content(images)
    flat = [view.number for i, view in enumerate(good) if i not in set(filled)]
    say_left_out(file.path, {"all their pixels are the same": flat} if flat else {})
    if not filled:
        raise UserError(f"{file.path}: all pixels of every image are the same")
    excluded = [view.number for view in lost]
    return Chosen([good[i] for i in filled], images.only(filled), excluded)


def keep_rule(options: argparse.Namespace) -> Keep:
    """What --keep is."""
    if options.keepabs:
        return "absolute"
    return "sigma" if options.keepsig else "share"


def by_angles(options: argparse.Namespace, file: ProjectionFile) -> Listed:
    """The sections of a tilt series, by --tlt."""
    angles = read_angles(Path(options.tlt))
    count = section_count(file, options)
    if len(angles) != count:
        raise UserError(f"{options.tlt} has {len(angles)} angles, {file.path} {count} images")
    return Listed(
        [
            View(number, transform[:, :3], np.eye(2, 3), 1.0, 1.0)
            for number, transform in enumerate(tilted(angles))
        ]
    )


def by_headers(options: argparse.Namespace, file: ProjectionFile) -> Listed:
    """The images by their headers, or by --angles."""
    require_images(file)
    transforms = None
    if options.angles is not None:
        transforms = read_transforms(Path(options.angles), file.pixel_size)
    weighting: Weighting = "root" if options.sqrt_wt else "one" if options.no_wt else "repr"
    return listed(
        file,
        transforms=transforms,
        weighting=weighting,
        model=options.input_model,
        needs_ssnr=options.usessnr and not options.iterative,
        moves=options.lstshift,
    )


def prepared(
    options: argparse.Namespace,
    file: ProjectionFile,
    settings: ProjectionSettings,
    views: list[View],
    processors: list[Processor],
) -> PreparedImages:
    """The images of some views as they are inserted."""
    edges = None
    if options.altedgemask:
        assert settings.padded is not None
        edges = blanked_edges(views, file.size[-1], settings.padded[0])
    sections = options.tlt is not None and len(file.size) == 3
    return PreparedImages(file, [view.number for view in views], processors, edges, sections)


# -- the map --------------------------------------------------------------------------------------


def say_sizes(
    options: argparse.Namespace, projections: Projections, settings: ProjectionSettings
) -> None:
    """The sizes that are worked with."""
    assert settings.padded is not None
    x, y, z = settings.transform_size or (max(settings.padded),) * 3
    print(f"3D Fourier dimensions are {x + 2 - x % 2} {y} {z}")
    needed = memory(projections.stack.shape, settings)
    print(
        f"You will require approximately {needed / 1e9:.3g} GB of memory to reconstruct this volume"
    )
    require_memory(projections.stack.shape, settings)


def computed(
    options: argparse.Namespace,
    projections: Projections,
    settings: ProjectionSettings,
    workers: Workers,
) -> ProjectionMap:
    """The map of the engine."""
    mask = None if options.itermask is None else any_volume(Path(options.itermask))
    seed = seed_of(options)
    machine.use_threads(workers.threads)
    progress = counted if options.verbose > 0 else ignore_progress
    with workers.opened() as pool:
        return reconstruct_projections(
            projections,
            settings,
            seed=seed,
            mask=mask,
            threads=workers.threads,
            progress=progress,
            pool=pool,
        )


def counted(done: int, total: int) -> None:
    """EMAN2's counter of inserted slices."""
    print(f" {done}/{total}", end="\r" if done < total else "\n", flush=True)


def seed_of(options: argparse.Namespace) -> Seed | None:
    """The map that the sums start from."""
    if options.seedmap is None:
        return None
    volume = any_volume(Path(options.seedmap))
    if options.seedweightmap is None:
        return Seed(volume, options.seedweight)
    weights = any_volume(Path(options.seedweightmap))
    return Seed(volume, np.fft.ifftshift(weights, (0, 1)).astype(np.float32))


def finish(
    options: argparse.Namespace,
    output: MapFile,
    file: ProjectionFile,
    found: ProjectionMap,
    chosen: Chosen,
    processors: list[Processor],
) -> None:
    """Structure factor, processors, files."""
    pixel_size = options.apix or file.pixel_size
    volume = imposed_structure(found.volume, options.setsf, pixel_size)
    volume = processed(volume, processors, pixel_size)
    header = map_header(options.input, pixel_size, chosen.views, chosen.excluded)
    write_map(output, volume, pixel_size, header)
    if options.savenorm is not None:
        write_norm(Path(options.savenorm), found.sums, pixel_size)
    print(f"Output File: {output.path}")
    print("Exiting")
