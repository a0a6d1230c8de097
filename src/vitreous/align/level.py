"""The specimen moved so that its slab lies about z = 0, and flat if asked for."""

import numpy as np

from vitreous.align.slab import Extent
from vitreous.geometry.motions import RigidMotion
from vitreous.geometry.rotations import rotation_x, rotation_y
from vitreous.records.alignment import Alignment


def centred(alignment: Alignment, extent: Extent) -> Alignment:
    """The slab's middle plane goes through the origin."""
    return alignment.moved(RigidMotion(np.eye(3), np.array([0.0, 0.0, -extent.centre])))


def levelled(alignment: Alignment, extent: Extent) -> Alignment:
    """The same with the plane z = tan(along_x) x + tan(along_y) y turned flat.

    By a turn about y, which adds to all tilts alike, and one about x, which is an x tilt of all
    views: those are what the families of alignments can hold.
    """
    normal = np.array([-np.tan(np.deg2rad(extent.along_x)), -np.tan(np.deg2rad(extent.along_y)), 1])
    normal /= np.linalg.norm(normal)
    about_y = float(np.rad2deg(np.arctan2(normal[0], normal[2])))
    about_x = float(np.rad2deg(-np.arcsin(normal[1])))
    back = rotation_y(about_y) @ rotation_x(about_x)
    return alignment.moved(RigidMotion(back.T, np.zeros(3)))
