"""Makes docs/images/report_*.jpg: what a browser shows of the report of a project.

python bench/report_pictures.py PROJECT SERIES      a project that `vitreous run` made
"""

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.report.browser import Browser, chromium, found

IMAGES = Path(__file__).parents[1] / "docs" / "images"
WINDOW = (1240, 1010)
COLUMNS, QUALITY = 900, 72  # what keeps a picture below 300 kB


def shown(browser: Browser, page: Path, first: str, height: int = WINDOW[1]) -> Image.Image:
    """The window of a page that is scrolled to an element."""
    browser.resize(WINDOW[0], height)
    browser.open(page.absolute().as_uri())
    browser.ask(f"scrollTo(0, document.querySelector('{first}').getBoundingClientRect().y - 24)")
    with Image.open(io.BytesIO(browser.picture())) as picture:
        size = COLUMNS, round(COLUMNS * picture.height / picture.width)
        return picture.convert("RGB").resize(size, Image.Resampling.LANCZOS)


def main(project: Path, series: str) -> None:
    """Write the pictures of a series' page and of the project's."""
    program = found()
    if program is None:
        sys.exit("no Chromium here")
    with tempfile.TemporaryDirectory() as profile, chromium(program, Path(profile)) as browser:
        pictures = {
            "report_project.jpg": shown(browser, project / "report.html", "h1", 760),
            "report_series.jpg": shown(browser, project / series / "report.html", "h1"),
            "report_plots.jpg": shown(browser, project / series / "report.html", "#alignment", 820),
        }
    for name, picture in pictures.items():
        picture.save(IMAGES / name, quality=QUALITY, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
