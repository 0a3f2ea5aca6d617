"""The stage end to end on the toy study: its tables, its promises and its refusals."""

import numpy as np
import pytest

from brainlapse import tables
from brainlapse.cli import main
from brainlapse.volumes import write_volume
from toy_samples import MODELS, SWEEP_YEARS, write_toy_samples
from toy_scores import compare, score, score_all
from toy_study import COHORT, GRID, write_toy_study


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """Results folder of a toy study whose models are all scored and compared."""
    results = write_toy_study(tmp_path_factory.mktemp("results"), subjects=16)
    return score_all(write_toy_samples(results))


@pytest.fixture(scope="module")
def compared(scored):
    table = tables.read(scored / "6_evaluate" / "comparisons.tsv", tables.COMPARISONS)
    return table.set_index(["model", "region", "metric"])


def test_every_model_stands_in_every_table(scored):
    for name, table in (
        ("scores", tables.SCORES),
        ("distributions", tables.DISTRIBUTIONS),
        ("comparisons", tables.COMPARISONS),
        ("subgroups", tables.SUBGROUPS),
    ):
        assert set(tables.read(scored / "6_evaluate" / f"{name}.tsv", table)["model"]) == set(MODELS)


def test_the_floors_are_where_they_belong(compared):
    copy, zero = (compared.xs(model, level="model")["value"] for model in ("copy", "zero"))
    assert copy["brain", "change_correlation"] == 0
    assert copy["brain", "change_error"] == pytest.approx(1)
    assert copy["ventricles", "volume_change_percent"] == 0
    assert zero["brain", "ssim_brain"] < 0.1
    assert zero["brain", "volume_ml"] == pytest.approx(0)


def test_foretelling_part_of_the_change_gains_over_copying(compared):
    for model, share in (("brainlapse", 0.6), ("regression", 0.4)):
        rows = compared.xs(model, level="model")
        assert rows.loc[("brain", "ssim_brain"), "gain_low"] > 0
        assert rows.loc[("changed", "mae_changed"), "gain_high"] < 0
        assert rows.loc[("brain", "change_error"), "value"] == pytest.approx(1 - share, abs=0.1)
        assert rows.loc[("ventricles", "volume_change_percent"), "value_low"] > 0
    assert compared.loc[("paper", "brain", "ssim_brain"), "gain_high"] < 0


def test_a_model_that_answers_longer_times_with_more_change_is_monotone(compared):
    assert compared.loc[("brainlapse", "ventricles", "sweep_monotone"), "value"] == 1
    assert compared.loc[("brainlapse", "ventricles", "sweep_rate_percent_per_year"), "value"] > 0
    assert compared.loc[("copy", "ventricles", "sweep_monotone"), "value"] == 0


def test_the_sweep_is_scored_by_its_volumes_only(scored):
    scores = tables.read(scored / "6_evaluate" / "scores.tsv", tables.SCORES)
    sweep = scores[scores["request"].str.endswith("y")]
    assert set(sweep["interval_years"]) == set(SWEEP_YEARS)
    assert set(sweep["metric"]) == {
        "volume_ml", "volume_change_percent", "volume_rate_percent_per_year", "distance_from_source",
    }  # fmt: skip


def test_threads_do_not_change_a_byte(scored, tmp_path):
    assert score(scored, "brainlapse", threads=2, out=tmp_path) == 0
    before = scored / "6_evaluate" / "brainlapse" / COHORT
    for name in ("scores.tsv", "distributions.tsv"):
        assert (tmp_path / name).read_bytes() == (before / name).read_bytes()


def test_several_draws_score_their_mean(tmp_path):
    results = write_toy_study(tmp_path, subjects=4)
    write_toy_samples(results, ("paper",), draws=2)
    assert score(results, "paper", out=tmp_path / "both") == 0
    folder = results / "5_sample" / "paper" / COHORT
    alone = []
    for draw in (0, 1):
        write_toy_samples(results, ("paper",), draws=draw + 1)
        _keep_draw(folder, draw)
        assert score(results, "paper", out=tmp_path / str(draw)) == 0
        alone.append(_values(tmp_path / str(draw)))
    both = _values(tmp_path / "both")
    mean = ((alone[0] + alone[1]) / 2).drop("volume_change_crps_percent", level="metric")
    np.testing.assert_allclose(both.reindex(mean.index), mean)
    # The toy samples of `paper` are the source with noise of SD 0.5 on [-1, 1], cut at its ends.
    assert both.xs("draw_spread", level="metric").between(0.1, 0.25).all()
    assert not any(name.startswith(("coverage", "draw")) for name in mean.index.unique("metric"))


def _values(folder):
    scores = tables.read(folder / "scores.tsv", tables.SCORES)
    return scores.set_index(["request", "region", "metric"])["value"]


def _keep_draw(folder, kept):
    """Let samples.tsv name only the given draw, which still lies there."""
    samples = tables.read(folder / "samples.tsv", tables.SAMPLES)
    samples = samples[samples["draw"] == kept].assign(draw=0)
    tables.write(samples, folder / "samples.tsv", tables.SAMPLES)


def test_a_sample_of_no_numbers_is_undefined_and_stops_nothing(tmp_path):
    results = write_toy_samples(write_toy_study(tmp_path, subjects=4), ("paper",))
    folder = results / "5_sample" / "paper" / COHORT
    first = tables.read(folder / "samples.tsv", tables.SAMPLES).iloc[0]
    write_volume(folder / first["image"], np.full(GRID.shape, np.nan, np.float32), GRID.affine)
    assert score(results, "paper") == 0
    scores = tables.read(results / "6_evaluate/paper" / COHORT / "scores.tsv", tables.SCORES)
    sampled = scores[~scores["metric"].str.startswith("true")]
    undefined = sampled[sampled["value"].isna()]
    assert set(undefined["request"]) == {first["request"]}
    assert len(undefined) == (sampled["request"] == first["request"]).sum()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("no sample", "has no sample for request"),
        ("wrong shape", "has shape (3, 4, 5)"),
        ("unknown scan", "has no accepted scan"),
        ("no cohort", "has no request of cohort"),
    ],
)
def test_what_cannot_be_scored_is_refused(tmp_path, capsys, damage, message):
    results = write_toy_samples(write_toy_study(tmp_path, subjects=4), ("paper",))
    folder = results / "5_sample" / "paper" / COHORT
    samples = tables.read(folder / "samples.tsv", tables.SAMPLES)
    requests = tables.read(folder / "requests.tsv", tables.REQUESTS)
    if damage == "no sample":
        tables.write(samples.iloc[1:], folder / "samples.tsv", tables.SAMPLES)
    elif damage == "wrong shape":
        write_volume(folder / samples["image"].iloc[0], np.zeros((3, 4, 5), np.float32), GRID.affine)
    else:
        change = {"source_scan": "gone"} if damage == "unknown scan" else {"cohort": "other"}
        tables.write(requests.assign(**change), folder / "requests.tsv", tables.REQUESTS)
    assert score(results, "paper") == 2
    assert message in capsys.readouterr().err


def test_the_two_doors_are_explained(tmp_path, capsys):
    assert main(["evaluate", "--settings", "{}", "--out", str(tmp_path)]) == 2
    assert "--model is missing" in capsys.readouterr().err


def test_the_model_that_foretells_more_is_told_from_the_others(scored):
    found = tables.read(scored / "6_evaluate" / "contrasts.tsv", tables.CONTRASTS)
    found = found[found["metric"] == "change_error"].set_index(["model", "other"])
    assert set(found.index) == {
        ("brainlapse", "copy"), ("brainlapse", "regression"), ("regression", "copy"),
        ("paper", "copy"), ("paper", "regression"), ("paper", "brainlapse"),
    }  # fmt: skip
    assert (found["tests"] == 6).all()
    assert found.loc[("brainlapse", "regression"), "difference_high"] < 0
    assert found.loc[("paper", "brainlapse"), "difference_low"] > 0


def test_the_toy_study_has_one_cohort_and_one_seed(scored):
    """Tables without a row are there, so that nobody wonders whether they were forgotten."""
    for table in (tables.COHORTS, tables.STABILITY):
        assert tables.read(scored / "6_evaluate" / table.name, table).empty


def test_comparing_needs_to_know_who_the_requests_are(scored, tmp_path, capsys):
    folder = str(scored / "6_evaluate" / "copy" / COHORT)
    assert main(["evaluate", "--scores", folder, "--settings", "{}", "--out", str(tmp_path)]) == 2
    assert "--requests is missing" in capsys.readouterr().err


def test_scores_of_one_model_twice_are_refused(scored, tmp_path, capsys):
    assert compare(scored, ("copy", "copy"), tmp_path) == 2
    assert "stands there twice" in capsys.readouterr().err
