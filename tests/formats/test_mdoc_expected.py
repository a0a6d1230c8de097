"""What the samples of real and made .mdoc files are known to say, value by value."""

import json
import re
from math import nan

import numpy as np
import pytest

from vitreous.formats.mdoc import parse_mdoc, read_mdoc
from vitreous.formats.mdoc_facts import facts_of, gain_of
from vitreous.formats.mdoc_series import (
    axis_title,
    dose_from_rate,
    movie_pixel_size,
    nominal_axis,
    own_dose,
    own_frames,
    tilt_series,
)

SAMPLES = "reference/mdoc_samples"
NAMES = (
    "tilt_series.mdoc",
    "frame_set_single.mdoc",
    "frame_set_multiple.mdoc",
    "montage_section_first4.mdoc",
    "tomo5_synthetic.mdoc",
    "traps_synthetic.mdoc",
)
REMARKS = {"own_dose_note", "rank_note", "usable_note", "dose_note"}  # sentences about the values


class Read:
    """A sample, and what we find of each thing that is expected of it."""

    def __init__(self, path):
        self.path, self.mdoc = path, read_mdoc(path)
        self.facts = {fact.name: fact for fact in facts_of(self.mdoc, path)}
        self.record = (*self.mdoc.of("FrameSet"), *self.mdoc.of("ZValue"))[0]
        self.series = tilt_series(self.mdoc, "x") if self.mdoc.kind == "tilt series" else None
        self.tilts = self.series.tilts if self.series else ()
        self.usable = [tilt for tilt in self.tilts if tilt.movie]

    def number(self, key):
        return float(self.record.get(key) or self.mdoc.get(key) or nan)

    def found(self, key, expected):
        series, mdoc = self.series, self.mdoc
        match key:
            case "kind":
                # the samples' words for them, ours in between
                ours = {"movie": "one movie, not a series", "montage": "montage, not a series"}
                ours["frame tilt series"] = "one movie holding a whole frame tilt series"
                return ours.get(mdoc.kind, mdoc.kind)
            case "sections":
                return len(self.tilts)
            case "tilt_axis":
                return nominal_axis(mdoc)
            case "axis_source":
                title = axis_title(mdoc)
                return expected if title.is_tomography_5 == ("RotationAngle" in expected) else title
            case "pixel_spacing":
                return series.pixel_size
            case "binning":
                return self.number("Binning")
            case "movie_pixel_if_unbinned" | "physical_pixel":
                return self.number("PixelSpacing") / self.number("Binning")
            case "movie_pixel":
                return movie_pixel_size(mdoc, (11520, 8184))
            case "acquisition_order":
                by_date = [tilt.exposure_index for tilt in self.tilts]
                in_order = by_date == list(range(len(by_date)))
                return expected if in_order and self.facts["order"].said == "DateTime" else by_date
            case "first_angles":
                return series.nominal_tilts_degrees[: len(expected)].round(1).tolist()
            case "min_tilt":
                return series.nominal_tilts_degrees.min()
            case "max_tilt":
                return series.nominal_tilts_degrees.max()
            case "dose":
                if isinstance(expected, str):
                    fact = self.facts["dose"]
                    return expected if fact.how == "missing" and "--dose" in fact.said else fact
                return own_dose(self.record)
            case "first_movie":
                return self.tilts[0].movie
            case "frames":
                (frames,) = own_frames(mdoc).values()
                return frames
            case "dose_from_frames":
                text = re.sub("ExposureDose = .*", "", self.path.read_text())
                return own_dose(parse_mdoc(text.replace("\r", "")).of("FrameSet")[0])
            case "dose_from_rate":
                return dose_from_rate(self.record)
            case "rotation_minus_90":
                return nominal_axis(mdoc)
            case "gain":
                return gain_of(mdoc)
            case "sub_sections":
                return len(mdoc.of("ZValue"))
            case "frames_of_section":
                (frame_dose, _) = self.record.get("FrameDosesAndNumber").split()
                dose = own_dose(mdoc.of("ZValue")[0])
                count = round(dose / float(frame_dose))
                return expected if f"{count} frames each (dose {dose:g} /" in expected else count
            case "prior_dose_first3":
                return [float(s.get("PriorRecordDose")) for s in mdoc.of("ZValue")[:3]]
            case "pieces":
                return len(mdoc.of("ZValue"))
            case "prior_dose":
                return [tilt.pre_exposure for tilt in self.tilts]
            case "sorted_by_tilt_z":
                tilts = self.usable
                angles = [tilt.nominal_tilt_degrees for tilt in tilts]
                return [tilts[k].section for k in np.argsort(angles, kind="stable")]
            case "line_ends":
                return {"\r\n": "CRLF", "\n": "LF"}[mdoc.newline]
            case "own_dose":
                return [tilt.dose for tilt in self.tilts]
            case "acquisition_rank":
                return [tilt.exposure_index for tilt in self.tilts]
            case "usable_z":
                return [tilt.section for tilt in self.usable]
            case "prior_dose_of_usable":
                return [tilt.pre_exposure for tilt in self.usable]
            case "movies":
                return [tilt.movie for tilt in self.usable]
            case "keep_unknown_key":
                return next(key for key in self.tilts[0].extra if key == expected)
            case "dosym":
                (text,) = [title for title in mdoc.titles if "dosym" in title]
                return float(text.split("dosym =")[1])
        raise AssertionError(f"nothing is read for {key!r}")


@pytest.mark.parametrize("name", NAMES)
def test_every_expected_value_is_found(shared, name):
    expected = json.loads((shared / SAMPLES / "expected.json").read_text())[name]
    read = Read(shared / SAMPLES / name)

    found = {key: read.found(key, value) for key, value in expected.items() if key not in REMARKS}

    for key, value in found.items():
        wanted = expected[key]
        exact = isinstance(wanted, str) or (isinstance(wanted, list) and isinstance(wanted[0], str))
        assert value == (wanted if exact else pytest.approx(wanted, abs=6e-5)), key


def test_all_samples_with_expectations_are_tried(shared):
    assert set(json.loads((shared / SAMPLES / "expected.json").read_text())) == set(NAMES)


def test_axes_of_the_reference_are_found(shared):
    cases = json.loads((shared / "reference/session_vectors.json").read_text())["tilt_axis"]

    for case in cases:
        title = f"[T =   Tilt axis angle = {case['title_axis']:.1f}, binning = 1]\n"
        record = f"[ZValue = 0]\nRotationAngle = {case['rotation']}\n"

        # a stage whose x axis is inverted shows in the title only
        assert nominal_axis(parse_mdoc(title + record)) == pytest.approx(case["title_axis"])
        if not case["stage_x_inverted"]:
            assert nominal_axis(parse_mdoc(record)) == pytest.approx(case["title_axis"])


def test_doses_before_each_image_are_those_of_the_reference(shared):
    case = json.loads((shared / "reference/session_vectors.json").read_text())["prior_dose"]
    sections = (
        f"[ZValue = {z}]\nTiltAngle = {tilt}\nExposureDose = {dose}\n"
        f"DateTime = 15-May-24  10:00:0{rank}\n"
        for z, (tilt, dose, rank) in enumerate(
            zip(case["tilt"], case["own_dose"], case["acquisition_rank"], strict=True)
        )
    )

    series = tilt_series(parse_mdoc("".join(sections)), "x", pixel_size=1, image_size=(4, 4))

    assert [tilt.pre_exposure for tilt in series.tilts] == pytest.approx(case["prior"])
