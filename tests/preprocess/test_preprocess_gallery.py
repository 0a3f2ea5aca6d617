"""The gallery shows what the table says, the worst first, and hostile text in it stays text."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brainlapse import tables
from brainlapse.preprocess import gallery
from brainlapse.preprocess.gallery import figure_columns, label, write_gallery
from browser import browser, shown

HOSTILE = [
    "</script><script>document.documentElement.id='ran'</script>",
    "<img src=x onerror=\"document.documentElement.id='ran'\">",
    "<!--<script>",
    "{{ script }}",
    "a&amp;b \"quoted\" 'single' \\ \u2028 é",
    "javascript:document.documentElement.id='ran'",
]


class Elements(HTMLParser):
    """The tags of a page and the texts of its scripts, as a browser would find them."""

    def __init__(self, page: str):
        super().__init__()
        self.tags, self.scripts, self.in_script = [], [], False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.in_script = tag == "script"
        if self.in_script:
            self.scripts.append("")

    def handle_endtag(self, tag):
        self.in_script = False

    def handle_data(self, data):
        if self.in_script:
            self.scripts[-1] += data


def table(rows: list[dict]) -> pd.DataFrame:
    plain = {"cohort": "toy", "status": "accepted", "brain_volume_ml": 1400.0, "gain": 1.0}
    frame = pd.DataFrame([plain | {"scan": f"I{n}", "subject": f"S{n}"} | row for n, row in enumerate(rows)])
    return frame.reindex(columns=tables.QUALITY.names)


def written(rows: list[dict], out: Path) -> str:
    write_gallery(table(rows), out)
    return (out / "quality.html").read_text(encoding="utf-8")


def seen(rows: list[dict], out: Path) -> str:
    """The page's HTML after its script ran."""
    written(rows, out)
    return shown(out / "quality.html")[0]


def listed(page: str) -> list[str]:
    """The scans of the list, from the top."""
    body = page.split('<tbody id="rows">')[1].split("</tbody>")[0]
    return re.findall(r"<strong>[^<]*</strong><span>([^<]*)</span>", body)


def test_the_page_holds_the_table(tmp_path):
    rows = [
        {"residual": 0.0123456, "picture": "a/b_qc.png", "image": "a/b.nii.gz"},
        {"status": "quarantined", "reason": "unreadable: x", "brain_volume_ml": np.nan, "gain": np.inf},
    ]
    held = json.loads(Elements(written(rows, tmp_path)).scripts[0])
    names = gallery.TEXTS + [column.name for column in figure_columns()]
    first, second = (dict(zip(names, scan, strict=True)) for scan in held["scans"])
    assert first["residual"] == pytest.approx(0.0123456, rel=1e-4) and first["image"] == "a/b.nii.gz"
    assert first["reason"] is None and first["picture"] == "a/b_qc.png"
    assert (
        second["reason"] == "unreadable: x" and second["brain_volume_ml"] is None and second["gain"] is None
    )


def test_hostile_text_makes_no_element(tmp_path):
    rows = [{"subject": text, "scan": f"{n}{text}", "reason": text} for n, text in enumerate(HOSTILE)]
    hostile, tame = Elements(written(rows, tmp_path)), Elements(written([{}], tmp_path))
    assert [tag for tag, _ in hostile.tags] == [tag for tag, _ in tame.tags]
    assert [scan[0] for scan in json.loads(hostile.scripts[0])["scans"]] == HOSTILE
    assert hostile.scripts[1] == tame.scripts[1]


def test_a_hostile_cohort_stays_in_the_title(tmp_path):
    page = Elements(written([{"cohort": HOSTILE[0]}], tmp_path))
    assert len(page.scripts) == 2


def test_only_the_pages_own_script_may_run(tmp_path):
    page = Elements(written([{}], tmp_path))
    digest = base64.b64encode(hashlib.sha256(page.scripts[1].encode()).digest()).decode()
    policy = next(attributes["content"] for _, attributes in page.tags if "http-equiv" in attributes)
    assert f"script-src 'sha256-{digest}'" in policy
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|Function\(", page.scripts[1]
    )


def test_nothing_is_loaded_from_elsewhere(tmp_path):
    page = Elements(written([{}], tmp_path))
    addresses = [value for _, found in page.tags for name, value in found.items() if name in ("src", "href")]
    assert addresses == ["data:,"]
    assert not re.search(r"fetch\(|XMLHttpRequest|import\(|url\(", page.scripts[1])


def test_the_same_table_gives_the_same_page(tmp_path):
    assert written([{}, {"gain": 2.0}], tmp_path) == written([{}, {"gain": 2.0}], tmp_path)


def test_every_figure_has_a_worst_end_and_a_label():
    names = [column.name for column in figure_columns()]
    assert set(names) == set(gallery.WORST)
    assert label("brain_volume_ml") == "brain volume, mL"
    assert label("residual") == "residual"
    assert len({label(name) for name in names}) == len(names)


def test_text_stands_out_in_light_and_dark():
    css = Path(gallery.__file__).with_name("gallery.css").read_text()
    schemes = [
        dict(re.findall(r"--(\w+): (#\w+)", part)) for part in css.split("@media (prefers-color-scheme")[:2]
    ]
    for scheme in schemes:
        for text in ("ink", "muted", "accent", "bad"):
            for ground in ("paper", "wash", "chosen"):
                assert contrast(scheme[text], scheme[ground]) >= 4.5, (text, ground)


def contrast(first: str, second: str) -> float:
    """WCAG's contrast of two colours such as #fff or #1d2a2f."""
    bright, dark = sorted((luminance(colour) for colour in (first, second)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = np.array([int(digits[n : n + 2], 16) / 255 for n in (0, 2, 4)])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


@browser
def test_the_worst_of_each_figure_comes_first_and_the_quarantined_before_all(tmp_path):
    rng = np.random.default_rng(0)
    rows = [
        {
            "brain_volume_ml": rng.normal(1400, 10), "template_correlation": rng.uniform(0.8, 0.9),
            "residual": rng.uniform(0.01, 0.02), "gain": np.exp(rng.normal(0, 0.01)),
            "edge_percent": 0.0, "missing_percent": 0.0,
        }
        for _ in range(200)
    ]  # fmt: skip
    odd = {
        150: {"template_correlation": 0.3}, 151: {"residual": 0.4}, 152: {"gain": 0.2}, 153: {"gain": 6.0},
        154: {"brain_volume_ml": 600.0}, 155: {"brain_volume_ml": 3000.0}, 156: {"edge_percent": 0.2},
        157: {"missing_percent": 9.0},
    }  # fmt: skip
    for number, figures in odd.items():
        rows[number] |= figures
    rows[199] |= {"status": "quarantined", "reason": "no brain found: x"}
    page = seen(rows, tmp_path)
    top = listed(page)
    assert top[0] == "I199"
    assert set(top[1:7]) == {f"I{number}" for number in odd} - {"I152", "I155"}
    assert {"I152", "I155"} < set(top[7:13])  # each the second in its figure
    assert 9 < len(top) < 60  # of 200: the rest is not in the page
    assert "199 scans of 199 subjects accepted, 1 quarantined" in page


@browser
def test_hostile_text_is_shown_and_does_not_run(tmp_path):
    rows = [
        {
            "subject": text, "scan": f"{n}", "status": "quarantined", "reason": text,
            "picture": f"{text}/a #?%.png", "image": text,
        }
        for n, text in enumerate(HOSTILE)
    ]  # fmt: skip
    page = seen(rows, tmp_path)
    assert len(listed(page)) == len(HOSTILE)
    assert "&lt;img src=x onerror" in page and 'id="ran"' not in page
    tags = Elements(page).tags
    assert not any(name.startswith("on") for _, attributes in tags for name in attributes)
    links = [attributes[key] for tag, attributes in tags for key in ("href", "src") if key in attributes]
    assert len(links) > len(HOSTILE)
    assert all(re.fullmatch(r"data:,|\./[^<>\"':?#\s]*", link.replace("'", "")) for link in links)
