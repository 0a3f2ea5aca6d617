"""How figures look and how they get into the page: one accent colour, the rest in greys."""

import base64
import io

import matplotlib
from matplotlib.figure import Figure

ACCENT, INK, MUTED, FAINT = "#0b6b74", "#1d2a2f", "#75848a", "#c9d1d4"
SETTINGS = {
    "svg.hashsalt": "brainlapse",  # the same figure, the same bytes
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlesize": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
}


def new_figure(width_in: float, height_in: float) -> Figure:
    """A figure in the page's style, in inches."""
    matplotlib.rcParams.update(SETTINGS)
    return Figure(figsize=(width_in, height_in), layout="constrained")


def as_svg(figure: Figure) -> str:
    """The figure as a data URI, sharp at every size."""
    return _encoded(figure, "svg", "image/svg+xml", metadata={"Date": None})


def as_png(figure: Figure, dpi: int) -> str:
    """The figure as a data URI of pixels, for pictures of volumes."""
    return _encoded(figure, "png", "image/png", dpi=dpi, metadata={"Software": None})


def data_uri(content: bytes, media_type: str) -> str:
    """Bytes as a data URI."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"


def _encoded(figure: Figure, kind: str, media_type: str, **how) -> str:
    stream = io.BytesIO()
    figure.savefig(stream, format=kind, **how)
    return data_uri(stream.getvalue(), media_type)
