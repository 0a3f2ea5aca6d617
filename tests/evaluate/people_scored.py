"""Scores of made-up people, each of whom is harder or easier than others, for the tables of comparisons."""

import numpy as np
import pandas as pd


def scores_of(models, subjects=20, requests=2, cohort="c", noise=0.0, metric="ssim_brain", seed=0):
    """`models`: name → what it adds to copy's score, a number or a function of the subject's number."""
    rng, rows = np.random.default_rng(seed), []
    for subject in range(subjects):
        for repeat in range(requests):
            named = {
                "cohort": cohort, "split": "test", "subject": f"s{subject:02d}",
                "request": f"{cohort}_{subject:02d}_{repeat}", "interval_years": 1.0 + repeat,
            }  # fmt: skip
            base = rng.uniform(0.5, 0.9)
            for model, more in {"copy": 0.0, **models}.items():
                more = more(subject) if callable(more) else more
                value = base + more + (rng.normal(0, noise) if model != "copy" else 0)
                rows.append(named | {"model": model, "region": "brain", "metric": metric, "value": value})
                rows.append(
                    named | {"model": model, "region": "brain", "metric": "true_volume_ml", "value": 1.0}
                )
    return pd.DataFrame(rows)
