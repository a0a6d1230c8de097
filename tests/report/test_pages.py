"""The pages of a project: what they say, and that they stand alone."""

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.report.conftest import ODD
from vitreous.pipeline.pages import write_project_page, write_series_page
from vitreous.pipeline.project import StepFolder
from vitreous.report.facts import Series, Step
from vitreous.report.pages import project_page, series_page

VOID = {"meta", "link", "img", "input", "br"}
DRAWN = {"line", "circle", "rect", "polyline"}  # of SVG, closed in themselves
LINKS = ("href", "src", "action", "data", "poster", "srcset")


class Page(HTMLParser):
    """A page taken apart; raises AssertionError where a tag isn't closed in its turn."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict]] = []
        self.words: list[str] = []
        self.feed(self.source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        assert tag in DRAWN
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, (tag, self.getpos())

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    def all(self, tag, **wanted):
        """Attributes of all such tags."""
        return [
            has
            for name, has in self.tags
            if name == tag and all(has.get(key) == value for key, value in wanted.items())
        ]


def pages_of(project):
    return sorted(project.rglob("report.html"))


def page_of(project, name):
    return Page(project / name / "report.html")


# -- what they say ---------------------------------------------------------------------------------


def test_a_finished_series_says_what_happened_in_one_sentence(project):
    manifest = StepFolder(project, "ts", "align").read_manifest()
    trust = "trusted" if manifest["trusted"] else "not trusted"

    page = page_of(project, "ts")

    assert f"8 of 9 tilts aligned, {trust}" in page.text
    assert "tomogram of 128 × 120 × 40 voxels at 10 Å." in page.text
    assert all(warning[1:] in page.text for warning in manifest["warnings"])


def test_every_tilt_is_shown_with_its_number_angle_and_score_or_why_it_is_left_out(project):
    manifest = StepFolder(project, "ts", "align").read_manifest()

    page = page_of(project, "ts")

    assert len(page.all("div", **{"class": "thumb"})) == 9
    assert "3 −30.0° left out: excluded by the settings" in page.text
    first = manifest["tilts"][0]
    assert f"1 −60.0° score {first['score']:.0f}" in page.text
    assert manifest["tilts"][2]["left_out"] == "excluded by the settings"
    assert "score" not in manifest["tilts"][2]


def test_the_sliders_go_all_through_the_tomogram(project):
    sliders = page_of(project, "ts").all("input", type="range")

    told = {each["data-plane"]: each["data-told"].split("|") for each in sliders}
    assert [len(told[plane]) for plane in ("xy", "xz", "zy")] == [31, 31, 31]
    assert told["xy"][0].startswith("1–")
    assert told["xy"][-1].endswith("–40 of 40")
    assert told["zy"][-1].endswith(" of 128")
    assert all(each["max"] == str(len(told[each["data-plane"]]) - 1) for each in sliders)


def test_time_memory_settings_files_and_hand_are_there(project):
    cost = StepFolder(project, "ts", "reconstruct").read_manifest()["cost"]

    text = page_of(project, "ts").text

    assert f"{cost['peak_memory_bytes'] / 1e6:.3g} MB" in text
    assert "exclude-tilts = 3" in text
    assert "thickness = " in text
    assert "reconstruct/ts.mrc the tomogram 2.46 MB" in text
    assert "Hand, tilt sense undetermined; x' = x cos(tilt) + z sin(tilt)" in text
    assert "no nominal axis was known" in text


def test_a_failed_series_says_why_and_what_to_do_on_both_pages(project):
    for page in (page_of(project, "cut"), Page(project / "report.html")):
        assert "the file ends in section 9 of 9" in page.text
        assert "Was it copied to the end, or is it still being written?" in page.text
    assert "The alignment failed." in page_of(project, "cut").text
    assert "ERROR" in page_of(project, "cut").text


def test_an_interrupted_series_shows_what_it_has(project):
    page = page_of(project, "killed")

    assert "the reconstruction was interrupted: the same command goes on with it." in page.text
    assert len(page.all("div", **{"class": "thumb"})) == 9
    assert page.all("input", type="range") == []


def test_what_an_earlier_run_left_is_not_taken_for_new(project, tmp_path):
    shutil.copytree(project / "ts", tmp_path / "ts")
    StepFolder(tmp_path, "ts", "reconstruct").fail("the disk is full", "make room")

    page = Page(write_series_page(tmp_path, "ts"))

    assert "trusted; the reconstruction failed." in page.text
    assert "What is shown of the reconstruction was left by an earlier run." in page.text
    assert len(page.all("input", type="range")) == 3


def test_an_alignment_that_was_given_is_called_so(project):
    page = page_of(project, "given")

    assert "8 of 9 tilts used, in an alignment that was given; tomogram of" in page.text
    assert len(page.all("input", type="range")) == 3


def test_the_project_counts_its_series_and_says_what_they_cost(project):
    text = Page(project / "report.html").text

    assert "5 series: 3 done, 1 failed, 1 interrupted" in text
    assert re.search(r"\d+ s of work in all, [\d.]+ s of CPU; tomograms take 7.38 MB", text)


def test_a_project_without_series_says_so(tmp_path):
    assert "There are no series in this project yet." in Page(write_project_page(tmp_path)).text


def test_a_page_is_the_same_when_it_is_made_again(project):
    before = (project / "ts" / "report.html").read_text()

    again = write_series_page(project, "ts").read_text()

    written = re.compile(r"Written by vitreous .*")
    assert written.sub("", again) == written.sub("", before)


# -- that they stand alone -------------------------------------------------------------------------


def test_all_links_lead_to_what_is_there_and_nothing_is_fetched(project):
    for path in pages_of(project):
        for tag, has in Page(path).tags:
            for target in filter(None, (has.get(name) for name in LINKS)):
                if target.startswith("data:"):
                    continue
                assert tag == "a", (tag, target)
                assert re.fullmatch(r"[\w.~/%-]+", target, re.ASCII), target
                assert (path.parent / unquote(target)).is_file(), target


def test_styles_and_scripts_name_no_address(project):
    for path in pages_of(project):
        source = path.read_text()
        assert all(url.startswith("data:") for url in re.findall(r"url\(\s*([^)]{0,40})", source))
        assert "@import" not in source
        assert not re.search(r"fetch\(|XMLHttpRequest|import\(|WebSocket", source)
        assert "http" not in re.sub(r"data:image/jpeg;base64,[\w+/=]+", "", source)


def test_an_odd_name_is_shown_as_it_is(project):
    assert ODD in page_of(project, ODD).text
    assert ODD in Page(project / "report.html").text


def test_what_looks_like_a_tag_is_no_tag():
    name = "<b>'x\"</b>&amp;"
    step = Step("align", "failed", why="<script>alert(1)</script>", hint='"><img src=x>')
    series = Series(name, "failed", (step,), warnings=("</ul><h1>",))

    for page in (series_page(series, "<i>"), project_page([series], "<i>")):
        assert "<script>alert" not in page
        assert "<b>" not in page
        assert "<i>" not in page
        assert "<img src=x>" not in page
        assert "</ul><h1>" not in page
        assert "&lt;b&gt;" in page


def test_every_field_has_a_label_and_every_id_is_there_once(project):
    for path in pages_of(project):
        page = Page(path)
        ids = [has["id"] for _, has in page.tags if "id" in has]
        assert len(ids) == len(set(ids))
        for _, has in page.tags:
            for of in ("for", "aria-labelledby"):
                assert of not in has or has[of] in ids
        labelled = {has.get("for") for has in page.all("label")}
        sliders = page.all("input", type="range")
        assert {has["id"] for has in sliders} <= labelled
        assert all(has.get("alt") is not None for has in page.all("img"))


@pytest.mark.parametrize("name", ["ts", "cut", "killed", "given", ODD])
def test_the_way_back_to_the_project_is_at_the_top(project, name):
    links = [has["href"] for has in page_of(project, name).all("a")]

    assert links[0] == "../report.html"
