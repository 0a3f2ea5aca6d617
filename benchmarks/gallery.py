"""Whether the gallery holds 5,000 scans: time to the first paint, to sort, to scroll, the browser's memory.

Writes a gallery of made-up scans, opens it in headless Chromium and works it as a person would. Times are
milliseconds of the page's clock until the next frame is drawn, so they grow on a loaded machine.

    PYTHONPATH=src .venv/stages/bin/python benchmarks/gallery.py --folder /tmp/gallery
"""

import argparse
import fcntl
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd

from brainlapse import atlas, tables
from brainlapse.preprocess.gallery import write_gallery
from brainlapse.preprocess.pictures import qc_picture
from brainlapse.volumes import Grid

VISITS, QUARANTINED = 4, 0.02
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --hide-scrollbars --remote-debugging-pipe "
    "--enable-precise-memory-info"
)
# Runs a deed and waits until what it changed is drawn.
TIMED = """(async (deeds) => {
  const drawn = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  const times = [];
  for (const deed of deeds) { await drawn(); const start = performance.now(); deed(); await drawn();
    times.push(performance.now() - start); }
  return times; })"""
SORT = "[...document.querySelectorAll('th.figure button')].map((button) => () => button.click())"
FILTER = """['s01', 's012', 's0123', ''].map((words) => () => { const box = document.getElementById('text');
  box.value = words; box.dispatchEvent(new Event('input')); })"""
SCROLL = """Array.from({length: 40}, (_, n) => () => { const list = document.getElementById('list');
  list.scrollTop = (n * 0.381966 % 1) * list.scrollHeight; })"""
NEXT = """Array.from({length: 40}, () => () => document.body.dispatchEvent(
  new KeyboardEvent('keydown', {key: 'ArrowDown', bubbles: true})))"""


class Browser:
    """Headless Chromium on one page, spoken to through two pipes (DevTools protocol)."""

    def __init__(self, page: Path, width: int = 1600, height: int = 1200, dark: bool = False):
        self.profile, self.problems, self.number = tempfile.mkdtemp(), [], 0
        self.process, self.to, self.fro = started(self.profile)
        self.rest, self.session = b"", None
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.ask("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        self.ask("Page.navigate", url=page.resolve().as_uri())
        self.wait_for("Page.loadEventFired")

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_) -> None:
        self.ask("Browser.close")
        self.process.wait()
        shutil.rmtree(self.profile, ignore_errors=True)

    def ask(self, method: str, **parameters) -> dict:
        """Call a method of the protocol; return its result."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session and not method.startswith(("Target.", "Browser.")):
            message["sessionId"] = self.session
        self.to.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def run(self, script: str):
        """The value of a JavaScript expression, awaited."""
        answer = self.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(str(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def wait_for(self, event: str) -> None:
        """Read until an event comes."""
        while self._read().get("method") != event:
            pass

    def _read(self) -> dict:
        while b"\0" not in self.rest:
            chunk = self.fro.read1(1 << 20)
            if not chunk:
                raise RuntimeError("Chromium went away")
            self.rest += chunk
        one, self.rest = self.rest.split(b"\0", 1)
        message = json.loads(one)
        if _is_problem(message.get("method"), message.get("params", {})):
            self.problems.append(message["params"])
        return message


def started(profile: str) -> tuple[subprocess.Popen, BinaryIO, BinaryIO]:
    """Chromium, the pipe to it and the pipe from it."""
    inward, outward = os.pipe(), os.pipe()
    # Chromium reads from 3 and writes to 4, so the ends must first get out of the way.
    ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 20) for end in (inward[0], outward[1])]

    def place() -> None:
        os.dup2(ends[0], 3)
        os.dup2(ends[1], 4)

    process = subprocess.Popen(
        [CHROMIUM, *FLAGS.split(), f"--user-data-dir={profile}"],
        preexec_fn=place, pass_fds=(3, 4), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    for end in (*ends, inward[0], outward[1]):
        os.close(end)
    return process, os.fdopen(inward[1], "wb", 0), os.fdopen(outward[0], "rb")


def _is_problem(event: str | None, told: dict) -> bool:
    if event == "Log.entryAdded":
        return told["entry"]["level"] == "error"
    if event == "Runtime.consoleAPICalled":
        return told["type"] in ("error", "warning")
    return event == "Runtime.exceptionThrown"


def main() -> None:
    """Write the gallery, use it and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--scans", type=int, default=5000)
    parser.add_argument("--folder", type=Path, required=True, help="an empty folder to work in")
    options = parser.parse_args()
    if not CHROMIUM:
        sys.exit("skipped: there is no Chromium")
    quality = made_up(options.scans)
    draw_pictures(quality, options.folder)
    write_gallery(quality, options.folder)
    page = options.folder / "quality.html"
    with Browser(page) as browser:
        rows = measured(browser)
    cpu = resource.getrusage(resource.RUSAGE_CHILDREN)
    rows |= {"page, MB": page.stat().st_size / 1e6, "browser, CPU s": cpu.ru_utime + cpu.ru_stime}
    rows["console errors"] = len(browser.problems)
    print(f"{len(quality)} scans\n\n| figure | value |\n|---|---|")
    for name, value in rows.items():
        print(f"| {name} | {value:.3g} |" if isinstance(value, float) else f"| {name} | {value} |")


def measured(browser: Browser) -> dict[str, object]:
    """The figures of one visit to the page."""
    paint = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
    rows = {"first paint, ms": browser.run(paint)}
    deeds = {"sort": SORT, "filter": FILTER, "scroll": SCROLL, "next scan": NEXT}
    for name, deed in deeds.items():
        times = browser.run(f"{TIMED}({deed})")
        rows[f"{name}, ms, median and worst"] = f"{statistics.median(times):.0f}, {max(times):.0f}"
    browser.ask("HeapProfiler.collectGarbage")
    rows["JS heap, MB"] = browser.ask("Runtime.getHeapUsage")["usedSize"] / 1e6
    rows["elements, rows, pictures in the page"] = browser.run(
        "[`*`, `#rows tr`, `img`].map((what) => document.querySelectorAll(what).length).join(', ')"
    )
    return rows


def made_up(count: int) -> pd.DataFrame:
    """A quality table of this many scans, a few of them quarantined."""
    rng = np.random.default_rng(0)
    number = np.arange(count)
    quality = pd.DataFrame({"cohort": "made up", "subject": [f"s{n // VISITS:05d}" for n in number]})
    quality["scan"] = [f"I{100000 + n}" for n in number]
    lost = rng.random(count) < QUARANTINED
    quality["status"] = np.where(lost, "quarantined", "accepted")
    quality["reason"] = np.where(lost, "template correlation: 0.487, at least 0.7 needed", None)
    first = number % VISITS == 0
    figures = {
        "brain_volume_ml": rng.normal(1400, 120, count),
        "template_correlation": 1 - rng.gamma(8, 0.02, count),
        "baseline_correlation": np.where(first, np.nan, 1 - rng.gamma(4, 0.01, count)),
        "residual": np.where(first, np.nan, rng.gamma(20, 0.001, count)),
        "gain": np.where(first, 1.0, np.exp(rng.normal(0, 0.15, count))),
        "edge_percent": np.where(rng.random(count) < 0.01, 0.05, 0.0),
        "missing_percent": np.where(rng.random(count) < 0.02, rng.gamma(1, 1, count), 0.0),
    }
    quality = quality.assign(**figures)
    folders = "sub-" + quality["subject"] + "/ses-" + quality["scan"] + "/anat/" + quality["scan"]
    quality["picture"], quality["image"] = folders + "_qc.png", (folders + "_T1w.nii.gz").where(~lost, None)
    return quality.reindex(columns=tables.QUALITY.names)


def draw_pictures(quality: pd.DataFrame, folder: Path) -> None:
    """A picture for every scan: four visits of one brain, each a link under many names."""
    grid, rng = Grid(), np.random.default_rng(0)
    maps = atlas.maps(grid.shape, grid.affine)
    t1, mask = maps["t1"] * maps["brain"], maps["brain"] > 0.5
    noisy = [2 * np.clip(t1 + rng.normal(0, 0.02, t1.shape), 0.01, 1) - 1 for _ in range(VISITS)]
    volumes = [np.where(mask, volume, -1) for volume in noisy]
    for visit, volume in enumerate(volumes):
        qc_picture(volume, mask, t1, volumes[0] if visit else None).save(folder / f"{visit}.png")
    for number, path in enumerate(quality["picture"]):
        (folder / path).parent.mkdir(parents=True)
        os.link(folder / f"{number % VISITS}.png", folder / path)


if __name__ == "__main__":
    main()
