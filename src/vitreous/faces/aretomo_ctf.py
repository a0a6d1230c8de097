"""The contrast transfer of a series of AreTomo3's form, as a project has it, named as theirs."""

import logging
from typing import Any

from vitreous.faces.aretomo_opened import PROJECT, Series
from vitreous.faces.aretomo_products import link
from vitreous.faces.aretomo_settings import ctf_settings
from vitreous.formats.aretomo_layout import CtfOfSeries, turn_hand, turn_imod_hand
from vitreous.pipeline.ctf import Images
from vitreous.pipeline.logs import logged
from vitreous.pipeline.movie_makings import ctf_of
from vitreous.pipeline.movie_steps import ctf
from vitreous.pipeline.project import StepFolder
from vitreous.records.alignment import Alignment

log = logging.getLogger(__name__)

NAMES = {"_CTF.txt": "_CTF.txt", ".defocus": "_CTF_Imod.txt", "_ctf.png": "_CTF.png"}
"""Endings of the CTF step, and ours in AreTomo3's manner."""


def estimate_ctf(series: Series, alignment: Alignment) -> tuple[CtfOfSeries | None, bool]:
    """Estimate it where the voltage is given; what it is, and whether it had to be estimated.

    Where no rings are seen there is nothing, and no table with guesses.
    """
    if not series.line.positive("Kv"):
        log.info("no -Kv: no CTF is estimated")
        return None, False
    settings = ctf_settings(series.line)
    making = ctf_of(series.path, series.tilts, alignment, settings)
    folder = StepFolder(series.folder / PROJECT, series.name, "ctf")
    series.forget(folder)
    with logged(folder) as step_log:
        is_new = not folder.holds(making)
        if is_new:
            folder = step_log.begin()
            images = Images(series.path, series.stack, series.tilts, alignment)
            ctf(folder, making, images, settings, share=series.share)
        else:
            folder.settle()
            log.info("the contrast transfer is up to date")
    found = untilted(folder.read_manifest())
    for ours, theirs in NAMES.items() if found else ():
        link(folder.product(ours), series.product(theirs))
    return found, is_new


def untilted(manifest: dict[str, Any]) -> CtfOfSeries | None:
    """What was found of the image nearest to 0 degrees; the hand, where AreTomo3 would turn it."""
    if not manifest["has_rings"]:
        return None
    view = min(manifest["views"], key=lambda each: abs(each["tilt_degrees"]))
    found, hand = view["ctf"], manifest["hand"]
    if hand == 1:
        log.warning(
            "the defocus tells the other hand (dfHand -1): AreTomo3 would turn the tilt axis by "
            "180 degrees. -Cmd 4 does"
        )
    return CtfOfSeries(
        defocus=(found["defocus_u"] + found["defocus_v"]) / 2,
        phase_shift_degrees=found["phase_shift_degrees"],
        resolution=view["resolution"],
        score=view["score"],
        df_hand=float("nan") if hand is None else -hand,
    )


def turn_ctf(series: Series) -> None:
    """The tables of a series whose axis was turned: the other hand."""
    for ending, turn in (("_CTF.txt", turn_hand), ("_CTF_Imod.txt", turn_imod_hand)):
        if series.product(ending).exists():
            turn(series.product(ending))
