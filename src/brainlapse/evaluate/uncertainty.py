"""What a request's draws say about what is not known, and whether the truth is as they say.

If a model is right about its own uncertainty, the truth is as one more draw.
Then it lies between the lowest and the highest of k draws (k − 1) times in
k + 1, and k draws with mean m and standard deviation s foretell it as
m ± t s √(1 + 1/k), t of Student's distribution with k − 1 degrees of freedom.
The best of the draws is never looked for: choosing with the truth in hand
would be cheating.
"""

from collections import defaultdict
from collections.abc import Iterator
from itertools import chain

import numpy as np
from scipy import stats

from brainlapse.evaluate.calibration import PREDICTED, TRUE
from brainlapse.evaluate.case import Case, Pair
from brainlapse.evaluate.metrics import METRICS
from brainlapse.evaluate.regional import Score

BRAIN = "brain"
SPREAD, ERROR_OF_MEAN, DRAWS = "draw_spread", "mean_error_rms", "draws"
VOLUME_SPREAD = "volume_change_spread_percent"
PERCENTS = (50, 80, 95)
# Bounds of the foretold errors that a bar of the reliability diagram puts together, on the scale of [0, 1].
BINS = (0, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16)
SCORED_OF_MEAN = ("ssim_brain", "mae_changed")


class Draws:
    """Takes a request's draws (X, Y, Z) one at a time, so that memory does not grow with their number.

    What it knows of them is (voxels,), in the voxels of `brain` (X, Y, Z): outside all are background.
    """

    def __init__(self, brain: np.ndarray):
        voxels = int(brain.sum())
        self.brain, self.count, self.mean = brain, 0, np.zeros(voxels)
        self.low, self.high = np.full(voxels, np.inf), np.full(voxels, -np.inf)
        self._squares = np.zeros(voxels)

    def add(self, draw: np.ndarray) -> None:
        """Take one draw (Welford 1962, the running sum of squares about the mean)."""
        self.count += 1
        inside = draw[self.brain]
        off = inside - self.mean
        self.mean += off / self.count
        self._squares += off * (inside - self.mean)
        np.minimum(self.low, inside, out=self.low)
        np.maximum(self.high, inside, out=self.high)

    @property
    def spread(self) -> np.ndarray:
        """(voxels,): the standard deviation of the draws, from the unbiased variance."""
        return np.sqrt(self._squares / (self.count - 1))

    def mean_volume(self) -> np.ndarray:
        """(X, Y, Z): the mean of the draws, 0 outside the brain."""
        volume = np.zeros(self.brain.shape)
        volume[self.brain] = self.mean
        return volume


def uncertainty_scores(draws: Draws, scores: list[list[Score]], pair: Pair | None) -> Iterator[Score]:
    """Rows of scores of one request: `scores` are those of each draw, `pair` is None without a truth.

    With a single draw there is only `volume_change_crps_percent`. All are NaN
    where a draw holds voxels that are no numbers.
    """
    yield from volume_scores(scores)
    if draws.count < 2:
        return
    yield BRAIN, DRAWS, float(draws.count)
    yield BRAIN, SPREAD, _root_mean_square(draws.spread)
    if pair is not None:
        yield BRAIN, "coverage_expected", (draws.count - 1) / (draws.count + 1)
        yield from voxel_scores(draws, pair.truth[pair.brain])
        yield from _scores_of_mean(Case(pair, draws.mean_volume()))


def voxel_scores(draws: Draws, truth: np.ndarray) -> Iterator[Score]:
    """The draws' spread against the error of their mean, `truth` (voxels,) in the brain on [0, 1].

    `mean_error_rms`; `coverage_voxels`, the share of voxels between the lowest
    and the highest draw; `coverage_50` and others, the share in the central
    interval that should hold so many percent; and for a reliability diagram
    the root mean squares of foretold and true error of the voxels of each bin.
    """
    error = np.abs(draws.mean - truth)
    foretold = draws.spread * np.sqrt(1 + 1 / draws.count)
    yield BRAIN, ERROR_OF_MEAN, _root_mean_square(error)
    yield BRAIN, "coverage_voxels", _share((draws.low <= truth) & (truth <= draws.high), error)
    for percent in PERCENTS:
        inside = error <= _quantile(percent, draws.count) * foretold
        yield BRAIN, f"coverage_{percent}", _share(inside, error)
    yield from _reliability(foretold, error)


def volume_scores(scores: list[list[Score]]) -> Iterator[Score]:
    """The same of the percent change of each region's volume, from the scores of each draw.

    `volume_change_spread_percent`, the standard deviation of the draws;
    `volume_change_covered`, 1 if the truth lies between the lowest and the
    highest; `volume_change_covered_50` and others, 1 if it lies in that
    central interval; `volume_change_rank`, the share of draws below the truth
    (ties count half); and the score of `crps`, in percent.
    """
    changes = defaultdict(list)
    for region, metric, value in chain.from_iterable(scores):
        changes[region, metric].append(value)
    for region in [region for region, metric in changes if metric == PREDICTED]:
        drawn, true = np.array(changes[region, PREDICTED]), changes.get((region, TRUE))
        if len(drawn) > 1:
            yield region, VOLUME_SPREAD, float(drawn.std(ddof=1))
        if true:
            yield region, "volume_change_crps_percent", crps(drawn, true[0])
        if true and len(drawn) > 1:
            yield from _covered(region, drawn, true[0])


def crps(drawn: np.ndarray, true: float) -> float:
    """Continuous ranked probability score of draws (k,), in their own units; 0 is best.

    The fair one (Ferro 2014), whose expectation does not depend on the
    number of draws. For one draw it is the absolute error, so that a model that
    gives one answer can be compared with one that gives many.
    """
    k = len(drawn)
    apart = np.abs(drawn[:, None] - drawn).sum() / (2 * k * (k - 1)) if k > 1 else 0.0
    return float(np.abs(drawn - true).mean() - apart)


def _covered(region: str, drawn: np.ndarray, true: float) -> Iterator[Score]:
    known = np.append(drawn, true)
    yield region, "volume_change_covered", _share(drawn.min() <= true <= drawn.max(), known)
    half = drawn.std(ddof=1) * np.sqrt(1 + 1 / len(drawn))
    for percent in PERCENTS:
        inside = abs(drawn.mean() - true) <= _quantile(percent, len(drawn)) * half
        yield region, f"volume_change_covered_{percent}", _share(inside, known)
    yield region, "volume_change_rank", _share((drawn < true) + 0.5 * (drawn == true), known)


def _reliability(foretold: np.ndarray, error: np.ndarray) -> Iterator[Score]:
    if not np.isfinite(error).all():
        return
    which = np.digitize(foretold, BINS) - 1
    for number, low in enumerate(BINS):
        inside = which == number
        if inside.any():
            name = f"spread {low}–{BINS[number + 1]}" if low != BINS[-1] else f"spread {low}+"
            yield name, "bin_spread", _root_mean_square(foretold[inside])
            yield name, "bin_error", _root_mean_square(error[inside])
            yield name, "bin_voxels", float(inside.sum())


def _scores_of_mean(case: Case) -> Iterator[Score]:
    """A sampler's point estimate is the mean of its draws; its own scores have names of their own."""
    sound = bool(np.isfinite(case.sample).all())
    for name in SCORED_OF_MEAN:
        metric = METRICS[name]
        yield metric.REGION, f"{name}_of_mean", metric.score(case) if sound else float("nan")


def _quantile(percent: float, draws: int) -> float:
    return float(stats.t.ppf(0.5 + percent / 200, draws - 1))


def _root_mean_square(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


def _share(inside: np.ndarray | bool, known: np.ndarray) -> float:
    """The mean of `inside`; NaN where a number that it was read from is none."""
    return float(np.mean(inside)) if np.isfinite(known).all() else float("nan")
