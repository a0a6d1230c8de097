"""Every option of RELION's tomo_reconstruct_particle, and what becomes of it here.

Sources: RELION 4.0.1 and 5.0.1, the job's tabs of their windows; docs/average.md has this table.
"""

from vitreous.faces.relion_line import Option

LABEL = "relion.reconstructparticletomo"
"""Type of the job in a job.star."""

OPTIONS = (
    # -- what is read and written ---------------------------------------------------------------
    Option("i", "FILE", "Optimisation set: names the particles, tomograms and trajectories."),
    Option("p", "FILE", "Particle set; goes before --i."),
    Option("t", "FILE", "Tomogram set, of RELION 4 or 5; goes before --i."),
    Option("mot", "FILE", "Trajectory set; goes before --i."),
    Option("man", "FILE", "Manifold set.", "idle"),
    Option("ref1", "FILE", "Half map 1 of the optimisation set.", "idle"),
    Option("ref2", "FILE", "Half map 2 of the optimisation set.", "idle"),
    Option("mask", "FILE", "Mask of the optimisation set.", "idle"),
    Option("fsc", "FILE", "FSC of the optimisation set.", "idle"),
    Option("o", "FOLDER", "Folder of the maps; made if it isn't there."),
    Option("job", "FILE", f"A job.star of the type {LABEL}; options beside it go before its own."),
    # -- the map ----------------------------------------------------------------------------------
    Option("b", "PIXELS", "Box, binned pixels; an odd one is made even, which is said.",
           "corrected", four="needed", five="needed"),
    Option("crop", "PIXELS", "Cropped box; the whole is written too.",
           four="-1: none", five="-1: none"),
    Option("bin", "FACTOR", "Pixels joined to one along each axis, 1.5 too. Boxes that reach over "
           "an image's edge are left out at any binning.", "corrected", four="1", five="1"),
    Option("SNR", "NUMBER", "Wiener constant, 1/SNR is added to the weights; 0 and less: weights "
           "are held above a thousandth of their shell's mean.", four="-1", five="-1"),
    Option("sym", "GROUP", "Point group: C1, C6, D7, T, O, I1 to I4.", four="C1", five="C1"),
    Option("nr_helical_asu", "NUMBER", "Asymmetric units of a helix; with a point group the "
           "product of both.", "corrected", four="1", five="1"),
    Option("helical_rise", "ANGSTROM", "From a unit to the next.", four="0", five="0"),
    Option("helical_twist", "DEGREES", "From a unit to the next.", four="0", five="0"),
    Option("taper", "PIXELS", "Over which the map fades at its sphere.", four="10", five="10"),
    Option("no_ctf", "", "Without CTF and dose; in the MPI program too.", "corrected"),
    Option("no_circle_crop", "", "Don't fade boxes outside their circle."),
    Option("whiten", "", "Flatten the noise of each tilt, right at any binning.", "corrected"),
    Option("cutoff_fract", "SHARE", "Frequencies of which the dose leaves less are left out.",
           four="0.01", five="0.01"),
    Option("no_recon", "", "Sum only, no maps.", "refused"),
    Option("no_backup", "", "Leave no sums for going on: they are cheap here.", "idle"),
    # -- how it is run ---------------------------------------------------------------------------
    Option("only_do_unfinished", "", "Go on from what a killed run has left, with half sets or "
           "without.", "corrected"),
    Option("mem", "GB", "A ceiling of memory for all processes together.", "corrected",
           four="-1: four fifths of the machine's", five="-1"),
    Option("j", "NUMBER", "Threads of a process; never more than there are cores.", "corrected",
           four="6", five="6"),
    Option("j_out", "NUMBER", "The same, of RELION's outer loop.", "corrected", four="2", five="2"),
    Option("j_in", "NUMBER", "The same, of its inner loop.", "corrected", four="3", five="3"),
    Option("np", "NUMBER", "Worker processes; under mpirun as many as it starts.", four="1",
           five="1"),
)  # fmt: skip
