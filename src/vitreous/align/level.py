"""The specimen turned so that its slab lies flat."""

import numpy as np

from vitreous.align.slab import Extent
from vitreous.geometry.motions import RigidMotion
from vitreous.geometry.rotations import rotation_x, rotation_y
from vitreous.records.alignment import Alignment


def levelled(alignment: Alignment, extent: Extent) -> Alignment:
    """The slab's middle plane z = centre + tan(along_x) x + tan(along_y) y becomes z = 0.

    By a turn about y, which adds to all tilts alike, and one about x, which is an x tilt of all
    views: those are what the families of alignments can hold.
    """
    normal = np.array([-np.tan(np.deg2rad(extent.along_x)), -np.tan(np.deg2rad(extent.along_y)), 1])
    normal /= np.linalg.norm(normal)
    about_y = float(np.rad2deg(np.arctan2(normal[0], normal[2])))
    about_x = float(np.rad2deg(-np.arcsin(normal[1])))
    back = rotation_y(about_y) @ rotation_x(about_x)
    return alignment.moved(RigidMotion(back.T, back.T @ [0.0, 0.0, -extent.centre]))
