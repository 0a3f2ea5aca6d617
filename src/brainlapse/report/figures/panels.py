"""Small multiples: a panel a model, with common limits."""

import numpy as np

from brainlapse.report.style import ACCENT, INK, new_figure


def panels(models: list[str], height_in: float = 2.5, shared: bool = True):
    columns = len(models) if len(models) <= 5 else 4
    lines = -(-len(models) // columns)
    figure = new_figure(9.2 * min(max(columns, 2) / 4, 1), height_in * lines)
    axes = figure.subplots(lines, columns, sharex=shared, sharey=shared, squeeze=False).ravel()
    for spare in axes[len(models) :]:
        spare.set_axis_off()
    return figure, axes[: len(models)]


def limits(values: np.ndarray) -> tuple[float, float]:
    values = values[np.isfinite(values)]
    low, high = (min(0.0, values.min()), max(0.0, values.max())) if len(values) else (-1.0, 1.0)
    margin = 0.06 * (high - low) or 1.0
    return low - margin, high + margin


def colour(model: str, models: list[str]) -> str:
    return ACCENT if model == models[0] else INK
