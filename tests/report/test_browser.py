"""The pages in a real browser: no complaint, nothing loaded, nobody shut out, and planes that are linked."""

import html as markup
import json
import re
from pathlib import Path

import axe_core_python
import pytest

from brainlapse.cli import main
from browser import browser, shown
from toy_samples import write_toy_samples
from toy_scores import score_all
from toy_study import COHORT, write_toy_study

AXE = Path(axe_core_python.__file__).with_name("axe.min.js")
REPORT_FAULTS = """
axe.run().then((found) => {
  const bad = found.violations.filter((one) => ["serious", "critical"].includes(one.impact));
  const told = bad.map((one) => one.id + ": " + one.nodes.map((node) => node.html.slice(0, 120)).join(" | "));
  top.document.body.dataset.faults = JSON.stringify(told);
  top.document.body.dataset.rules = found.passes.length;
});
top.document.body.dataset.wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
"""
CLICK = """
document.querySelectorAll("details").forEach((one) => { one.open = true; });
setTimeout(() => {
  const viewer = document.querySelector(".viewer");
  const [first, second] = viewer.querySelectorAll(".panel");
  const before = second.querySelectorAll("canvas")[1].toDataURL();
  const canvas = first.querySelector("canvas");
  const frame = canvas.getBoundingClientRect();
  canvas.dispatchEvent(new PointerEvent("pointerdown", {
    clientX: frame.left + 0.2 * frame.width, clientY: frame.top + 0.2 * frame.height, buttons: 1 }));
  top.document.body.dataset.clicked = viewer.dataset.at;
  const slider = viewer.querySelectorAll("input")[2];
  slider.value = 3;
  slider.dispatchEvent(new Event("input"));
  top.document.body.dataset.moved = viewer.dataset.at;
  top.document.body.dataset.linked = before !== second.querySelectorAll("canvas")[1].toDataURL();
}, 2000);
"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The report and a person's page of a toy study."""
    results = write_toy_study(tmp_path_factory.mktemp("results"), subjects=8)
    score_all(write_toy_samples(results))
    out = results / "7_report"
    settings = json.dumps({"title": "toy", "config": {}, "subjects": "subjects/index.html"})
    for more, path in (([], out / "index.html"), (["--subjects"], out / "subjects")):
        where = ["--results", str(results), "--settings", settings, "--out", str(path)]
        assert main(["report", *more, *where]) == 0
    person = next((out / "subjects" / COHORT).glob("*.html"))
    return {"report": out / "index.html", "person": person, "people": out / "subjects" / "index.html"}


def with_script(page: Path, *scripts: str) -> Path:
    """The page with further scripts at its end, beside it."""
    added = "".join(f"<script>{script}</script>" for script in scripts)
    tried = page.with_name("tried-" + page.name)
    tried.write_text(page.read_text(encoding="utf-8").replace("</body>", f"{added}</body>"), encoding="utf-8")
    return tried


def framed(page: Path, width: int) -> Path:
    """The page in a frame of so many pixels: a headless window cannot be narrower than 500."""
    frame = page.with_name("framed-" + page.name)
    inner = markup.escape(page.read_text(encoding="utf-8"))
    outer = f'<!doctype html><body><iframe width="{width}" height="1000" srcdoc="{inner}"></iframe></body>'
    frame.write_text(outer, encoding="utf-8")
    return frame


def told(html: str, name: str) -> str:
    found = re.search(rf'data-{name}="([^"]*)"', html)
    assert found, f"the page did not say {name}"
    return found[1].replace("&quot;", '"').replace("&lt;", "<").replace("&amp;", "&")


@browser
@pytest.mark.parametrize("width", [400, 1600])
@pytest.mark.parametrize("page", ["report", "person", "people"])
def test_no_complaint_no_serious_fault_and_no_scrolling_sideways(pages, page, width):
    tried = framed(with_script(pages[page], AXE.read_text(encoding="utf-8"), REPORT_FAULTS), width)
    # What asks for another address than the page's own file gets an error, which the console would show.
    html, console = shown(tried, 1700, 1200, "--host-resolver-rules=MAP * ~NOTFOUND")
    assert console == []
    assert int(told(html, "rules")) > 10
    assert json.loads(told(html, "faults")) == []
    assert int(told(html, "wide")) <= 0


@browser
def test_a_click_in_one_volume_moves_the_planes_of_all(pages):
    html, console = shown(with_script(pages["report"], CLICK))
    assert console == []
    shape = json.loads(re.search(r'data-shape="(\[[^"]*\])"', html)[1])
    clicked, moved = (json.loads(told(html, name)) for name in ("clicked", "moved"))
    assert clicked[:2] == [int(0.2 * shape[0]), int(0.8 * shape[1])]
    assert moved == [*clicked[:2], 3]
    assert told(html, "linked") == "true"


@browser
def test_it_prints(pages, tmp_path):
    shown(pages["report"], 1200, 1200, f"--print-to-pdf={tmp_path / 'page.pdf'}")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
