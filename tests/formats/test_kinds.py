import csv
import re
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vitreous.errors import FormatError, UnknownFormatError
from vitreous.formats.content import read_bytes
from vitreous.formats.describe import READERS, describe
from vitreous.formats.imod import read_angles
from vitreous.formats.kinds import Kind, kind_of
from vitreous.formats.mdoc import read_mdoc
from vitreous.formats.mdoc_series import tilt_series
from vitreous.formats.mrc import open_stack
from vitreous.formats.mrc_header import read_header
from vitreous.formats.tiff import open_tiff_stack

KINDS = {
    "adoc": Kind.AUTODOC,
    "aln": Kind.ALN,
    "com": Kind.COMMANDS,
    "csv": Kind.CSV,
    "defocus": Kind.DEFOCUS,
    "dm": Kind.DM,
    "edf": Kind.ETOMO,
    "em": Kind.EM,
    "eman_json": Kind.EMAN_JSON,
    "hdf": Kind.HDF5,
    "log": Kind.ALIGN_LOG,
    "mdoc": Kind.MDOC,
    "mod": Kind.IMOD_MODEL,
    "mrc": Kind.MRC,
    "prm": Kind.PEET,
    "rawtlt": Kind.ANGLES,
    "resid": Kind.RESIDUALS,
    "star": Kind.STAR,
    "tbl": Kind.DYNAMO,
    "tif": Kind.TIFF,
    "tlt": Kind.ANGLES,
    "warp_xml": Kind.WARP_XML,
    "xf": Kind.XF,
    "xml_other": Kind.XML,
    "xtilt": Kind.ANGLES,
    "xyz": Kind.FIDUCIALS,
    "zfac": Kind.ZFACTORS,
}
"""What the files of a folder of the corpus are, but for those below."""

OTHERS = {
    "ctf_txt/PyTom__3__markerfile.txt": Kind.MARKERS,
    "ctf_txt/PyTom__4__markerfile.txt": Kind.MARKERS,
    "ctf_txt/cryoCAT__017_corrected_dose.txt": Kind.ANGLES,  # doses, one a line
    "ctf_txt/cryoCAT__018_ctffind4.txt": Kind.CTF_TABLE,
    "ctf_txt/cryoet-alignment__test_CTF.txt": Kind.CTF_TABLE,
    "ctf_txt/pytom-match-pick__test_dose.txt": Kind.ANGLES,
    "ctf_txt/tomodrgn__tilt_scheme_classD.txt": Kind.ANGLES,
    "ctf_txt/tomodrgn__tilt_scheme_classE.txt": Kind.ANGLES,
    "ctf_txt/warpylib__gen_ctf.txt": Kind.TEXT,  # C#
    "log/IMOD__testErrors.log": Kind.TEXT,
    "log/IMOD__tilt-bound.info": Kind.TEXT,
    "mod/sfftk__test_bad_data1.mod.gz": Kind.BINARY,  # its first letters are missing
    "star/sfftk__test_data3.star": Kind.MMCIF,
    "tif/cryoet-data-portal-backend__TS_run1_4.tiff": Kind.TEXT,  # its own name
    "tif/cryoet-data-portal-backend__TS_run1_5.tiff": Kind.TEXT,
    "tlt/emClarity__riboNew10_ali1_ctf.tlt": Kind.TABLE,  # 22 columns of CTF
    "tlt/leginon__template.tlt": Kind.PROTOMO,
    "xf/IMOD__BBalocal.xf": Kind.LOCAL_XF,
    "xf/IMOD__BBblocal.xf": Kind.LOCAL_XF,
    "xf/IMOD__midzone2alocal.xf.gz": Kind.LOCAL_XF,
    "xf/IMOD__midzone2alocal_patch-tracking.xf.gz": Kind.LOCAL_XF,
    "xf/IMOD__midzone2blocal.xf.gz": Kind.LOCAL_XF,
    "xf/IMOD__mediumscansb2_midas.xf": Kind.MIDAS,
}

NO_HEADER_SAID = {"mrc/mrcfile__emd_3001.map.gz", "mrc/mrcfile__emd_3197.map.gz"}
"""MRC files of which the manifest says nothing."""

NO_SERIES = {
    "mdoc/cylindra__dummy.mrc.mdoc": "no ImageSize",
}
"""mdoc files with [ZValue] sections that are no tilt series by themselves, besides the montage."""


@pytest.fixture(scope="module")
def corpus(shared):
    """The manifest's rows; `path` is the file."""
    folder = shared / "data" / "parsers"
    with (folder / "MANIFEST.tsv").open(encoding="utf-8") as manifest:
        rows = list(csv.DictReader(manifest, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert len(rows) == 455
    return [{**row, "path": folder / row["file"]} for row in rows]


def is_ok(row):
    return row["state"] == "ok"


# -- kinds ----------------------------------------------------------------------------------------


def test_the_kind_of_every_file_of_the_corpus_is_told(corpus):
    wrong = {}
    for row in corpus:
        if row["bytes"] == "0" or row["state"] == "broken: LFS pointer":
            with pytest.raises(FormatError, match=r"the file is empty|Git LFS pointer"):
                kind_of(row["path"])
            continue
        expected = OTHERS.get(row["file"]) or KINDS[row["kind"]]
        if (found := kind_of(row["path"])) is not expected:
            wrong[row["file"]] = found

    assert wrong == {}


def test_names_and_packing_do_not_matter(corpus, tmp_path):
    for row in corpus[::17]:
        if not is_ok(row):
            continue
        renamed = tmp_path / "no_suffix"
        renamed.write_bytes(read_bytes(row["path"]))

        assert kind_of(renamed) is kind_of(row["path"]), row["file"]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("-60,5\n-57,5\n-54,5\n", Kind.ANGLES),  # decimal commas: the reader will say so
        ("0,0,1\n0,1,1\n1,1,1\n", Kind.CSV),
        ("1 0 0 1 0 0\n" * 9 + "1 0 0 1 foo 0\n", Kind.XF),
        ("1 0 0 1 0 0\n" * 9 + "1 0 0", Kind.XF),
        ("-3.00 1 2.5\n0.00 2 2.5\n", Kind.ANGLE_TABLE),
        ("some words\n", Kind.TEXT),
        ("   \n\n", Kind.TEXT),
        ("{", Kind.JSON),
        ("<html>", Kind.XML),
        ("PixelSpacing = 2\nVoltage = 300\n", Kind.MDOC),
    ],
)
def test_text_is_told_even_where_it_is_broken(tmp_path, text, kind):
    path = tmp_path / "x"
    path.write_text(text)

    assert kind_of(path) is kind


# -- the kinds that are read ----------------------------------------------------------------------


def test_every_mrc_file_has_what_the_manifest_says(corpus):
    rows = [row for row in corpus if row["kind"] == "mrc" and row["file"] not in NO_HEADER_SAID]
    assert len(rows) == 45
    for row in rows:
        mode, nx, ny, nz, order, stamp, extended = re.match(
            r"mode (\d+) (\d+)x(\d+)x(\d+) (\w+)-endian stamp (\w+) .* ext (\d+) ", row["special"]
        ).groups()
        pixel = re.search(r"pixel (-?[\d.]+) A", row["special"])

        header = read_header(row["path"])

        assert header.mode == int(mode)
        assert header.size == (int(nx), int(ny), int(nz))
        assert header.extended_bytes == int(extended)
        assert header.byte_order == {"little": "<", "big": ">"}[order]
        odd = stamp not in ("44440000", "44410000")
        assert any(f"odd machine stamp {stamp}" in said for said in header.remarks) == odd
        if pixel and float(pixel[1]) > 0:
            assert header.pixel_size == pytest.approx(float(pixel[1]), rel=2e-3)
        else:
            assert header.pixel_size is None
        if is_ok(row):
            stack = open_stack(row["path"], pixel_size=1.0)
            assert stack.read(int(nz) - 1).shape == (int(ny), int(nx))
        else:
            with pytest.raises(FormatError, match=rf"byte {row['bytes']}: the file ends in sect"):
                open_stack(row["path"], pixel_size=1.0)


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("tomoauto__test_002_mode1.st.gz", -59.99, 59.99),
        ("etspy__test_000.mrc", 0.0, 0.0),
        ("etspy__HAADF.mrc.gz", -76.0, 76.0),
    ],
)
def test_tilt_angles_of_real_extended_headers_are_read(shared, name, first, last):
    header = read_header(shared / "data/parsers/mrc" / name)

    if first == last:  # -0.000488 degrees is 0 in hundredths
        assert header.tilt_angles is None
    else:
        assert header.tilt_angles[0] == pytest.approx(first, abs=0.02)
        assert header.tilt_angles[-1] == pytest.approx(last, abs=0.02)


def test_axes_of_a_real_map_are_turned(shared):
    path = shared / "data/parsers/mrc/mrcfile__emd_3001.map.gz"

    header = read_header(path)

    assert (header.size, header.axes) == ((73, 43, 25), (3, 1, 2))


def test_every_list_of_angles_has_as_many_as_lines(corpus):
    for row in corpus:
        if row["kind"] not in ("tlt", "rawtlt", "xtilt") or not is_ok(row):
            continue
        if row["file"] in OTHERS:
            with pytest.raises(FormatError, match="found 22 numbers"):
                read_angles(row["path"])
            continue
        lines = int(re.search(r"(\d+) lines", row["special"])[1])

        assert len(read_angles(row["path"])) == lines


def test_every_mdoc_has_the_sections_that_the_manifest_counts(corpus):
    for row in corpus:
        if row["kind"] != "mdoc" or not is_ok(row):
            continue
        counts = dict.fromkeys(("ZValue", "FrameSet", "MontSection"), 0)
        for count, kind in re.findall(r"(\d+) (ZValue|FrameSet|MontSection)", row["special"]):
            counts[kind] = int(count)

        mdoc = read_mdoc(row["path"])

        assert {kind: len(mdoc.of(kind)) for kind in counts} == counts
        if mdoc.kind == "tilt series" and row["file"] not in NO_SERIES:
            series = tilt_series(mdoc, row["file"])
            low, high = re.search(r"angles (-?[\d.]+)\.\.(-?[\d.]+)", row["special"]).groups()
            assert series.nominal_tilts_degrees.min() == pytest.approx(float(low), abs=0.06)
            assert series.nominal_tilts_degrees.max() == pytest.approx(float(high), abs=0.06)


def test_every_tiff_is_read(corpus):
    for row in corpus:
        if row["kind"] != "tif" or not is_ok(row) or row["file"] in OTHERS:
            continue

        stack = open_tiff_stack(row["path"], pixel_size=1.0)

        assert stack.read(stack.shape[0] - 1).shape == stack.shape[1:]


# -- describe -------------------------------------------------------------------------------------


def test_every_file_of_the_corpus_is_described_or_refused_in_one_line(corpus):
    for row in corpus:
        kind = OTHERS.get(row["file"]) or KINDS[row["kind"]]
        read = is_ok(row) and kind in READERS and kind is not Kind.HDF5  # none is EMAN2's
        if read:
            facts = describe(row["path"])
            assert facts[0][0] == "kind"
            assert len(facts) > 1, row["file"]
            assert all("\n" not in name + fact for name, fact in facts)
            continue
        error_kind = UnknownFormatError if is_ok(row) else FormatError
        with pytest.raises(error_kind) as caught:
            describe(row["path"])
        assert str(caught.value).startswith(str(row["path"]))
        assert "\n" not in str(caught.value)


def test_every_broken_file_names_the_place_or_what_it_is(corpus):
    broken = [row for row in corpus if not is_ok(row)]
    assert len(broken) == 16
    for row in broken:
        with pytest.raises(FormatError) as caught:
            describe(row["path"])
        error = caught.value
        known = isinstance(error, UnknownFormatError) or "Git LFS" in str(error)
        assert known or error.byte is not None or error.line is not None, str(error)


@given(data=st.data())
@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_damaged_files_are_described_or_refused(corpus, tmp_path, data):
    readable = [row for row in corpus if row["kind"] in READ_FOLDERS and row["bytes"] != "0"]
    row = data.draw(st.sampled_from(readable))
    damaged = bytearray(read_bytes(row["path"])) if is_ok(row) else bytearray(b"x")
    place = data.draw(st.integers(0, len(damaged)))
    patch = data.draw(st.binary(max_size=12))
    damaged[place : place + len(patch)] = patch
    cut = data.draw(st.one_of(st.just(len(damaged)), st.integers(0, len(damaged))))
    path = tmp_path / "damaged"
    path.write_bytes(damaged[:cut])

    with suppress(FormatError):
        assert describe(path)


READ_FOLDERS = [folder for folder, kind in KINDS.items() if kind in READERS]


@given(st.binary(max_size=1500))
@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_random_bytes_are_described_or_refused(tmp_path, content):
    path = tmp_path / "random"
    path.write_bytes(content)

    with suppress(FormatError):
        assert describe(path)
