"""The pages in a real browser: they are used with the keyboard alone, and nothing complains."""

import pytest

from tests.report.browser import chromium, found
from tests.report.conftest import ODD

PICTURE = ".plane.xy .window"
SLIDER = "document.querySelector('#slide-xy')"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    program = found()
    if program is None:
        pytest.skip("no Chromium here (chromium, google-chrome): the pages are not tried in one")
    with chromium(program, tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture
def page(browser):
    """The browser, which must have had nothing to complain of in the end."""
    browser.resize(1280)
    browser.problems.clear()
    browser.fetched.clear()
    yield browser
    assert browser.problems == []
    assert all(url.startswith(("file:", "data:")) for url in browser.fetched), browser.fetched


def address(path):
    return path.as_uri()


@pytest.mark.parametrize("name", ["ts", ODD])
def test_arrow_keys_move_the_slider_and_the_picture_with_it(page, project, name):
    page.open(address(project / name / "report.html"))
    page.ask(f"{SLIDER}.focus()")
    before, told = page.picture(PICTURE), page.ask(f"{SLIDER}.getAttribute('aria-valuetext')")

    for _ in range(5):
        page.press("ArrowRight")

    assert page.ask(f"{SLIDER}.value") == "20"
    assert page.picture(PICTURE) != before
    assert page.ask(f"{SLIDER}.getAttribute('aria-valuetext')") != told
    assert page.ask("document.querySelector('output[for=slide-xy]').textContent") != told

    for _ in range(5):
        page.press("ArrowLeft")

    assert page.picture(PICTURE) == before


def test_every_plane_shows_another_picture_at_its_first_and_last_slice(page, project):
    page.open(address(project / "ts" / "report.html"))

    for plane in ("xy", "xz", "zy"):
        page.ask(f"document.querySelector('#slide-{plane}').focus()")
        page.press("Home")
        first = page.picture(f".plane.{plane} .window")
        page.press("End")
        assert page.picture(f".plane.{plane} .window") != first


def test_a_click_in_a_slice_moves_the_other_two(page, project):
    page.open(address(project / "ts" / "report.html"))
    page.ask("scrollTo(0, 0)")
    x, y, width, height = page.ask(
        f"(() => {{ const b = document.querySelector('{PICTURE}').getBoundingClientRect();"
        "return [b.x, b.y, b.width, b.height] })()"
    )

    at = {"x": x + 0.02 * width, "y": y + 0.02 * height, "button": "left", "clickCount": 1}
    page.do("Input.dispatchMouseEvent", type="mousePressed", **at)
    page.do("Input.dispatchMouseEvent", type="mouseReleased", **at)

    places = [page.ask(f"document.querySelector('#slide-{p}').value") for p in ("zy", "xz", "xy")]
    assert places == ["0", "30", "15"]


def test_a_series_is_reached_from_its_project_by_keyboard(page, project):
    page.open(address(project / "report.html"))
    page.ask("document.getElementById('wanted').focus()")

    page.ask("document.querySelector(`td.name[data-value='ts'] a`).focus()")
    page.press("Enter")
    page.wait_for_page()

    assert page.ask("document.querySelector('h1').textContent") == "ts"


def test_the_table_is_sorted_and_searched(page, project):
    page.open(address(project / "report.html"))
    names = (
        "[...document.querySelectorAll('#series tbody tr')]"
        ".filter(row => !row.hidden).map(row => row.cells[1].dataset.value)"
    )
    assert page.ask(names) == sorted(["ts", "cut", "killed", "given", ODD])

    page.ask("document.querySelectorAll('thead button')[0].focus()")
    page.press("Enter")
    assert page.ask(names)[0] == "ts"
    page.ask("document.getElementById('wanted').focus()")
    page.do("Input.insertText", text="failed")
    assert page.ask(names) == ["cut"]
    assert page.ask("document.getElementById('seen').textContent") == "1 of 5 shown"


@pytest.mark.parametrize("width", [360, 800, 1600])
def test_no_page_is_wider_than_the_window(page, project, width):
    page.resize(width)
    for path in sorted(project.rglob("report.html")):
        page.open(address(path))

        assert page.ask("document.documentElement.scrollWidth") <= width


def test_dark_is_dark(page, project):
    page.open(address(project / "report.html"))
    colour = "getComputedStyle(document.body).backgroundColor"
    light = page.ask(colour)

    page.darken()

    assert sum(map(int, page.ask(colour)[4:-1].split(","))) < 120
    assert sum(map(int, light[4:-1].split(","))) > 700
