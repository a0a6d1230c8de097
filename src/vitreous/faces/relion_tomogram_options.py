"""Every option of RELION's tomo_reconstruct_tomogram, and what becomes of it here.

Sources: the manual page of RELION 4, the programs 4.0.1 and 5.0.1; docs/relion.md has this table.
"""

from vitreous.faces.relion_line import Option

LABEL = "relion.reconstructtomograms"
"""Type of the job in a job.star."""

OPTIONS = (
    # -- what is read and written ---------------------------------------------------------------
    Option("i", "FILE", "Optimisation set, which names a tomogram set.", four="", five=""),
    Option("t", "FILE", "Tomogram set, of RELION 4 or 5; goes before --i."),
    Option(
        "tn",
        "NAME",
        "Tomogram to make; several with commas between, '*' for all. Of several, what is done "
        "already is left, by the fingerprint of images, alignment and settings.",
        "corrected",
        four="needed",
        five="*",
    ),
    Option(
        "o",
        "FILE",
        "RELION 4: the volume. RELION 5, or several tomograms: the folder of all products, or, as "
        "there, how their paths begin where one is named. Folders are made.",
    ),
    Option("job", "FILE", f"A job.star of the type {LABEL}; options beside it go before its own."),
    Option("relion-version", "4|5", "Whose defaults hold.", four="4; 5 with --job"),
    # -- which voxels -----------------------------------------------------------------------------
    Option(
        "w",
        "PIXELS",
        "Width. RELION 4's program takes binned voxels, its manual says unbinned pixels: so here. "
        "A set without sizes: the field as the tilt axis turns it.",
        "corrected",
        four="the set's",
        five="needed",
    ),
    Option("h", "PIXELS", "Height, as --w.", "corrected", four="the set's", five="needed"),
    Option(
        "d",
        "PIXELS",
        "Thickness, as --w; needed where the set doesn't say it.",
        "corrected",
        four="the set's",
        five="needed",
    ),
    Option(
        "x0",
        "PIXELS",
        "Where the volume begins in the set's tomogram, unbinned. The set's first voxel is 1 with "
        "RELION 4, 0 with RELION 5, in sets of either.",
        four="1",
        five="0",
    ),
    Option("y0", "PIXELS", "The same in y.", four="1", five="0"),
    Option("z0", "PIXELS", "The same in z.", four="1", five="0"),
    Option(
        "bin",
        "FACTOR",
        "Pixels joined to one along each axis, 2.5 too. Where an image or a volume has an odd size "
        "RELION's contents are wrong, here they aren't.",
        "corrected",
        four="8",
        five="1",
    ),
    Option("binned_angpix", "ANGSTROM", "The same as a voxel size; goes before --bin."),
    Option("Fc", "", "Crop the transforms to bin, instead of filtering and sampling."),
    Option(
        "tiltangle_offset",
        "DEGREES",
        "Added to every tilt, in the table of tilts too; RELION can't write that of a single "
        "tomogram.",
        "corrected",
        four="0",
        five="0",
    ),
    # -- weights and CTF --------------------------------------------------------------------------
    Option(
        "noctf",
        "",
        "No CTF.",
        four="off",
        five="on",
    ),
    Option("ctf", "", "Multiply each image by its CTF.", four="on", five="off"),
    Option(
        "no_weight",
        "",
        "Plain back-projection. RELION weights all the same while the CTF is on.",
        "corrected",
    ),
    Option(
        "pre_weight",
        "",
        "Weights in 2D instead of 3D. RELION 4 does both while the CTF is on; RELION 5's --ctf "
        "without --skip_wiener takes the weight in 3D alone.",
        "corrected",
    ),
    Option(
        "SNR",
        "NUMBER",
        "Wiener filter: 1/SNR is added to what is divided by. Without CTF by RELION's formula, "
        "which depends on the volume's size; with CTF as a share of what all tilts would hold "
        "together, whatever the size and their number.",
        "corrected",
        four="10",
        five="10",
    ),
    Option("skip_wiener", "", "Multiply by the CTF, don't divide."),
    Option(
        "ctf_intact_first_peak",
        "",
        "With --fourier: leave the CTF's first peak as it is. Otherwise RELION 5 always does, and "
        "so it is here.",
    ),
    Option("keep_mean", "", "Keep each image's mean."),
    Option(
        "td",
        "PIXELS",
        "Binned pixels at the edges of each image that are not back-projected. RELION fades voxels "
        "that lie near the edge of all images.",
        "corrected",
        four="0",
        five="0",
    ),
    Option(
        "tf",
        "PIXELS",
        "Binned pixels over which each image fades, from --td on.",
        "corrected",
        four="0",
        five="0",
    ),
    Option(
        "fourier",
        "",
        "Fourier inversion of the images of even and odd frames, instead of back-projection. Not "
        "with --x0, nor --generate_split_tomograms.",
    ),
    Option(
        "lambda",
        "NUMBER",
        "How smooth its signal-to-noise ratios are; RELION's minimiser ends before it is there.",
        "corrected",
        five="10",
    ),
    # -- further products -------------------------------------------------------------------------
    Option(
        "generate_split_tomograms",
        "",
        "Two volumes, of even (half1) and odd frames, instead of one.",
    ),
    Option("do_proj", "", "Sum of the sections in the middle, too: projections/rec_NAME.mrc."),
    Option("centre_proj", "SECTIONS", "Its middle, from the volume's.", four="0", five="0"),
    Option("thickness_proj", "SECTIONS", "Its thickness less one.", four="10", five="10"),
    Option(
        "bfactor_per_edose",
        "A^2",
        "Written into tomograms.star for later jobs, nothing else; RELION's program of one process "
        "forgets it.",
        "corrected",
        five="0",
    ),
    # -- how --------------------------------------------------------------------------------------
    Option(
        "only_do_unfinished",
        "",
        "Leave what is done, by fingerprint; RELION leaves half-written files, and with "
        "--generate_split_tomograms everything.",
        "corrected",
    ),
    Option("j", "NUMBER", "Threads.", four="1", five="1"),
    Option(
        "pipeline_control", "DIR", "RELION_JOB_EXIT_SUCCESS, _FAILURE or _ABORTED is left there."
    ),
    Option("theme", "NAME", "Colours of RELION's window.", "idle"),
)
