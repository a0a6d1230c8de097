"""All families against the shared vectors: matrices and projected points, both ways."""

import itertools
import json

import numpy as np
import pytest

from vitreous.formats import aretomo, eman, imod, relion, warp
from vitreous.formats.alignments import (
    FAMILIES,
    conversion_losses,
    held_by,
    read_alignment,
    same_frame_distances,
    write_alignment,
)
from vitreous.records.images import StackFacts

ONE = np.array([0])
RECORDS = 5


def facts_for(size, pixel_size=1.0):
    return StackFacts(1, (int(size[0]), int(size[1])), pixel_size)


def imod_record(record):
    tilt, volume = record["tilt"], record["volume"]
    a11, a12, a21, a22, dx, dy = record["xf"]
    alignment = imod.to_alignment(
        np.array([[[a11, a12, dx], [a21, a22, dy]]]),
        np.array([tilt["tlt"]]),
        facts_for(record["raw_size"]),
        x_tilts_degrees=np.array([tilt["xtilt"]]),
        tilt_offset_degrees=tilt["OFFSET"],
    )
    size = (volume["width"], record["ali_size"][1], volume["thickness"])
    centre = imod.volume_centre(size, tilt["SHIFT"])
    return alignment, centre, record["points_xyz_rotx"], record["projected_raw"]


def aretomo_record(record):
    aln = aretomo.Aln(
        sections=ONE,
        rotations=np.array([record["rot"]]),
        shifts=np.array([[record["tx"], record["ty"]]]),
        tilts=np.array([record["tilt"]]),
    )
    alignment = aretomo.to_alignment(aln, ONE, facts_for(record["raw_size"]), record["kernel"])
    centre = aretomo.volume_centre(record["volume_xyz_flipvol1"], record["kernel"])
    return alignment, centre, record["points_xyz_flipvol1"], record["projected_raw"]


def relion5_record(record):
    alignment = relion.angles_to_alignment(
        np.array([[record["xtilt"], record["ytilt"], record["zrot"]]]),
        np.array([[record["xshift_angst"], record["yshift_angst"]]]),
        facts_for(record["stack_size"], record["pixel_size"]),
        ONE,
    )
    centre = relion.volume_centre(record["tomo_size"])
    return alignment, centre, record["points_xyz"], record["projected"]


def relion4_record(record):
    matrix = [record[f"rlnTomoProj{axis}"] for axis in "XYZ"]
    alignment = relion.matrices_to_alignment(
        np.array([matrix]), record["tomo_size"], facts_for(record["raw_size"]), ONE
    )
    centre = np.array(relion.volume_centre(record["tomo_size"])) + 1  # the points count from 1
    return alignment, centre, record["points_xyz"], record["projected"]


def warp_record(record, folder):
    pixel_size = record["pixel_size"]
    image = ", ".join(map(str, record["image_dims_angst"]))
    path = folder / "record.xml"
    path.write_text(
        f'<TiltSeries ImageDimensionsAngstrom="{image}" AreAnglesInverted="False"'
        f' LevelAngleX="{record["level_angle_x"]}" LevelAngleY="{record["level_angle_y"]}">'
        f"<Angles>{record['angle']}</Angles><AxisAngle>{record['axis_angle']}</AxisAngle>"
        f"<AxisOffsetX>{record['axis_offset_x']}</AxisOffsetX>"
        f"<AxisOffsetY>{record['axis_offset_y']}</AxisOffsetY></TiltSeries>"
    )
    size = [round(side / pixel_size) for side in record["image_dims_angst"]]
    alignment = warp.read(path, facts_for(size, pixel_size))
    centre = warp.volume_centre([side / pixel_size for side in record["volume_dims_angst"]])
    return alignment, centre, record["points_xyz"], record["projected"]


def eman_record(record):
    binning = record["binning"]
    facts = facts_for([side // binning for side in record["raw_size"]])
    params = np.array([record["tltparams"]])
    params[:, :2] /= binning
    alignment = eman.to_alignment(params, facts)
    centre = eman.volume_centre(record["tomo_size"])
    return alignment, centre, record["points_xyz"], record["projected"]


READERS = {
    "imod": imod_record,
    "aretomo": aretomo_record,
    "relion5": relion5_record,
    "relion4": relion4_record,
    "warp": warp_record,
    "eman": eman_record,
}


@pytest.fixture
def house(shared, tmp_path):
    """(family, number) -> alignment, family's volume centre, its points, their pixels, record."""
    vectors = json.loads((shared / "reference" / "geometry_vectors.json").read_text())["families"]

    def record(family, number):
        found = vectors["eman2" if family == "eman" else family][number]
        extra = (tmp_path,) if family == "warp" else ()
        alignment, centre, points, pixels = READERS[family](found, *extra)
        return alignment, np.array(centre), np.array(points), np.array(pixels), found

    return record


@pytest.mark.parametrize("number", range(RECORDS))
@pytest.mark.parametrize("family", FAMILIES)
def test_points_land_where_the_family_has_them(house, family, number):
    alignment, centre, points, pixels, record = house(family, number)

    seen = alignment.pixels((points - centre) * alignment.pixel_size)[0]

    np.testing.assert_allclose(seen, pixels, atol=1e-3)
    matrix = np.array(record["matrix_index"])
    np.testing.assert_allclose(alignment.projections[0], matrix[:, :3], atol=1e-6)


@pytest.mark.parametrize("number", range(RECORDS))
@pytest.mark.parametrize("family", ["relion5", "relion4", "warp", "eman"])
def test_heights_are_the_familys_depths(house, family, number):
    alignment, centre, points, _, record = house(family, number)
    mirrored = family == "relion4" and record["flipYZ"] and not record["flipZ"]

    heights = alignment.heights((points - centre) * alignment.pixel_size)[0]

    depths = np.array(record["depth_px"]) * alignment.pixel_size * (-1 if mirrored else 1)
    np.testing.assert_allclose(np.diff(heights), np.diff(depths), atol=2e-3)


@pytest.mark.parametrize("number", range(RECORDS))
@pytest.mark.parametrize(("source", "target"), list(itertools.product(FAMILIES, FAMILIES)))
def test_every_family_becomes_every_other(house, tmp_path, source, target, number):
    alignment, centre, points, pixels, _ = house(source, number)
    suffix = {"imod": "xf", "aretomo": "aln", "warp": "xml", "eman": "json"}.get(target, "star")
    path = tmp_path / f"written.{suffix}"

    write_alignment(alignment, path, target)
    facts = facts_for(alignment.image_size, alignment.pixel_size)
    again = read_alignment(path, facts, family=target)

    kept, lost = held_by(alignment, target)
    assert same_frame_distances(kept, again).max() < 1e-3
    if not lost:
        seen = again.pixels((points - centre) * alignment.pixel_size)[0]
        np.testing.assert_allclose(seen, pixels, atol=1.5e-3)
    else:
        assert conversion_losses(alignment, target).worst_px > 1e-3
        assert target in ("aretomo", "relion5", "warp", "eman")
