"""The lines of quality_per_flop.tsv as Markdown: means over seeds, with their range."""

import pandas as pd

# Heading → column and digits after the point.
SHOWN = {
    "`ssim_brain` gain": ("ssim_brain_gain", 4),
    "`mae_brain`, % of copy": ("mae_brain_share", 0),
    "`mae_changed`, % of copy": ("mae_changed_share", 0),
    "change correlation": ("change_correlation", 2),
    "change error": ("change_error", 2),
    "ventricles r": ("ventricles_pearson", 2),
    "slope": ("ventricles_slope", 2),
    "rate error, %/year": ("ventricles_rate_error", 2),
    "CRPS, %: ventricles": ("ventricles_crps", 2),
    "brain": ("brain_crps", 3),
    "Fréchet − copy": ("frechet_over_copy", 3),
    "spread/error, brain": ("spread_error_brain", 2),
    "ventricles": ("spread_error_ventricles", 2),
    "coverage": ("coverage_ventricles", 2),
    "CPU s, training": ("train_cpu_s", 0),
    "sample": ("sample_cpu_s", 2),
    "GFLOP, sample": ("sample_gflop", 1),
}
_GROUP = ["row", "training_steps", "sampling"]


def table(lines: pd.DataFrame) -> str:
    """A table a study: a line for each row, length of training and way of sampling."""
    lines = lines.assign(
        mae_changed_share=100 * lines["mae_changed"] / lines["mae_changed_copy"],
        mae_brain_share=100 * lines["mae_brain"] / lines["mae_brain_copy"],
        frechet_over_copy=lines["frechet"] - lines["frechet_copy"],
    )
    return "\n\n".join(_of_study(study, part) for study, part in lines.groupby("study", sort=False))


def _of_study(study: str, lines: pd.DataFrame) -> str:
    one, steps = lines.iloc[0], lines.loc[lines["step_gflop"] > 0, "step_gflop"]
    said = (
        f"**{study}**: {one['people']:.0f} people, {one['requests']:.0f} follow-ups. A training step takes "
        f"{steps.min():.1f} to {steps.max():.1f} GFLOP. "
        f"Copy: `mae_brain` {one['mae_brain_copy']:.4f}, `mae_changed` {one['mae_changed_copy']:.4f}, "
        f"Fréchet {one['frechet_copy']:.3f} (floor {one['frechet_floor']:.3f})."
    )
    head = ["row", "training", "steps", "seeds", *SHOWN]
    # A line's place is that of its row and way when they were first measured.
    rows = [
        [*map(str, group), str(part["seed"].nunique()), *(_cell(part, *shown) for shown in SHOWN.values())]
        for group, part in lines.groupby(_GROUP, sort=False)
    ]
    return "\n".join([said, "", *(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])])


def _cell(part: pd.DataFrame, column: str, digits: int) -> str:
    values = part[column].dropna() if column in part else part["seed"].iloc[:0]
    if values.empty:
        return ""
    mean, low, high = (f"{number:.{digits}f}" for number in (values.mean(), values.min(), values.max()))
    return mean if low == high else f"{mean} [{low}, {high}]"
