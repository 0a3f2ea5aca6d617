"""The pages in a real browser: no complaint, nothing loaded, nobody shut out, and planes that are linked."""

import base64
import html as markup
import io
import json
import re
from pathlib import Path

import axe_core_python
import numpy as np
import pytest
from PIL import Image

from brainlapse.cli import main
from browser import browser, shown
from toy_study import COHORT

AXE = Path(axe_core_python.__file__).with_name("axe.min.js").read_text(encoding="utf-8")
WIDTHS = (400, 1600)
OFFLINE = "--host-resolver-rules=MAP * ~NOTFOUND"
EXAMINE = """
document.querySelectorAll("details").forEach((one) => { one.open = true; });
const tell = (name, value) => { top.document.body.dataset[name + innerWidth] = JSON.stringify(value); };
setTimeout(() => axe.run().then((found) => {
  const bad = found.violations.filter((one) => ["serious", "critical"].includes(one.impact));
  const told = ({ id, nodes }) => id + ": " + nodes.map((node) => node.html.slice(0, 120)).join(" | ");
  tell("faults", bad.map(told));
  tell("rules", found.passes.length);
  tell("sideways", document.documentElement.scrollWidth - document.documentElement.clientWidth);
  tell("hidden", document.querySelectorAll(".viewer[hidden]").length);
  tell("requests", performance.getEntriesByType("resource").map((one) => one.name));
}), 1000);
"""
CLICK = """
document.querySelectorAll("details").forEach((one) => { one.open = true; });
setTimeout(() => {
  const viewer = document.querySelector(".viewer"), told = document.body.dataset;
  const panels = [...viewer.querySelectorAll(".panel")].map((panel) => panel.querySelectorAll("canvas"));
  const canvasOf = (panel, plane) => panels[panel][plane];
  const frame = canvasOf(0, 0).getBoundingClientRect();
  const before = canvasOf(1, 1).toDataURL();
  canvasOf(0, 0).dispatchEvent(new PointerEvent("pointerdown", {
    clientX: frame.left + 0.2 * frame.width, clientY: frame.top + 0.2 * frame.height, buttons: 1 }));
  told.clicked = viewer.dataset.at;
  const slider = viewer.querySelectorAll("input")[2];
  slider.value = 3;
  slider.dispatchEvent(new Event("input"));
  told.moved = viewer.dataset.at;
  told.linked = before !== canvasOf(1, 1).toDataURL();
  told.planes = JSON.stringify([0, 1, 2].map((plane) => canvasOf(1, plane).toDataURL()));
}, 1000);
"""


@pytest.fixture(scope="module")
def pages(scored):
    """The report and a person's page of a toy study."""
    out = scored / "7_report"
    settings = json.dumps({"title": "toy", "config": {}, "subjects": "subjects/index.html"})
    for more, path in (([], out / "index.html"), (["--subjects"], out / "subjects")):
        where = ["--results", str(scored), "--settings", settings, "--out", str(path)]
        assert main(["report", *more, *where]) == 0
    person = next((out / "subjects" / COHORT).glob("*.html"))
    return {"report": out / "index.html", "person": person, "people": out / "subjects" / "index.html"}


def with_scripts(page: Path, *scripts: str) -> str:
    """The page's HTML with further scripts at its end."""
    added = "".join(f"<script>{script}</script>" for script in scripts)
    return page.read_text(encoding="utf-8").replace("</body>", f"{added}</body>")


def framed(html: str, path: Path) -> Path:
    """The HTML in a frame of each of WIDTHS pixels: a headless window cannot be narrower than 500."""
    inner = markup.escape(html)
    frames = "".join(f'<iframe width="{width}" height="1000" srcdoc="{inner}"></iframe>' for width in WIDTHS)
    path.write_text(f"<!doctype html><body>{frames}</body>", encoding="utf-8")
    return path


def told(html: str, name: str):
    found = re.search(rf'data-{name}="([^"]*)"', html)
    assert found, f"the page did not say {name}"
    return json.loads(markup.unescape(found[1]))


def decoded(uri: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("L"))


@browser
@pytest.mark.parametrize("page", ["report", "person", "people"])
def test_no_complaint_no_serious_fault_and_no_scrolling_sideways(pages, page, tmp_path):
    tried = framed(with_scripts(pages[page], AXE, EXAMINE), tmp_path / "framed.html")
    html, console = shown(tried, 2100, 1200, OFFLINE)
    assert console == []
    for width in WIDTHS:
        assert told(html, f"rules{width}") > 10
        assert told(html, f"faults{width}") == []
        assert told(html, f"sideways{width}") <= 0
        assert told(html, f"hidden{width}") == 0
        assert told(html, f"requests{width}") == []


@browser
def test_what_is_wrong_with_a_page_would_be_seen(tmp_path):
    bad = tmp_path / "bad.html"
    bad.write_text(
        "<!doctype html><html><body><img src='http://example.org/x.png'><div style='width: 2000px'>wide</div>"
        "<script>console.error('something')</script><script>throw new Error('another')</script></body></html>"
    )
    html, console = shown(
        framed(with_scripts(bad, AXE, EXAMINE), tmp_path / "framed.html"), 2100, 1200, OFFLINE
    )
    assert "something" in console and any("another" in line for line in console)
    assert told(html, "requests400") == ["http://example.org/x.png"]
    assert told(html, "sideways400") > 1000
    assert any(fault.startswith("image-alt") for fault in told(html, "faults400"))


@browser
def test_a_click_in_one_volume_moves_the_planes_of_all(pages, tmp_path):
    page = tmp_path / "clicked.html"
    page.write_text(with_scripts(pages["report"], CLICK), encoding="utf-8")
    html, console = shown(page)
    assert console == []
    volumes = told(html, "volumes")
    right, front, _ = volumes["shape"]
    assert told(html, "clicked") == [int(0.2 * right), int(0.8 * front), volumes["begin"][2]]
    x, y, z = at = told(html, "moved")
    assert at == [int(0.2 * right), int(0.8 * front), 3]
    assert told(html, "linked") is True
    volume = unpacked(html, panel=1, **volumes)
    axial, coronal, sagittal = map(decoded, told(html, "planes"))
    assert (axial == volume[:, ::-1, z].T).all()
    assert (coronal == volume[:, y, ::-1].T).all()
    assert (sagittal == volume[x, :, ::-1].T).all()


def unpacked(html: str, panel: int, shape: list[int], columns: int, begin: list[int]) -> np.ndarray:
    """A panel's volume (X, Y, Z) from its mosaic."""
    right, front, top = shape
    images = re.findall(r'<img src="([^"]+)" alt="" hidden', html)
    tiles = decoded(images[panel]).reshape(-1, front, columns, right).swapaxes(1, 2).reshape(-1, front, right)
    return tiles[:top, ::-1].transpose(2, 1, 0)


@browser
def test_it_prints(pages, tmp_path):
    shown(pages["report"], 1200, 1200, f"--print-to-pdf={tmp_path / 'page.pdf'}")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
