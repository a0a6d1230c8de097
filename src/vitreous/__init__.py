"""vitreous: cryo-electron tomography, from the microscope's images to tomograms and maps."""

__version__ = "0.1.0"
