"""The pages of docs/ that are made from the code say what the code says."""

import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("page", ["config", "tables"])
def test_a_generated_page_is_up_to_date(page):
    made = runpy.run_path(str(DOCS / "generate.py"))[f"{page}_page"]()
    written = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    assert written == made, "run: PYTHONPATH=src python docs/generate.py"


def test_every_key_is_explained():
    rows = [line for line in (DOCS / "config.md").read_text().splitlines() if line.startswith("| `")]
    assert len(rows) > 40
    assert not [row for row in rows if row.rstrip(" |").endswith("`") or row.endswith("|  |")]
