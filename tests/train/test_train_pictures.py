"""Pictures of follow-ups during training: when, of whom, and that they leave the training alone."""

import numpy as np
import pytest
from PIL import Image
from toy_training import (
    GRID,
    advance,
    assert_same,
    fresh_run,
    options_for,
    pairs_of,
    row_of,
    settings_with,
    write_study,
)

from brainlapse import tables, train
from brainlapse.models import FAMILIES
from brainlapse.models.stored import Recipe
from brainlapse.train.pictures import Pictures, sampling_for
from brainlapse.train.settings import TrainingSettings


@pytest.fixture(scope="module")
def validated(tmp_path_factory):
    """A study of which two people are for validation."""
    study = write_study(tmp_path_factory.mktemp("validated"))
    pairs = tables.read(study / "3_pairs" / "pairs.tsv", tables.PAIRS)
    people = pairs["subject"].unique()
    pairs.loc[pairs["subject"].isin(people[:2]), "split"] = "validation"
    tables.write(pairs, study / "3_pairs" / "pairs.tsv", tables.PAIRS)
    return study


def test_ten_moments_of_a_run_the_last_at_its_end():
    pictures = Pictures("training", None, 1, 300, 0)
    due = [step for step in range(1, 301) if pictures.due(step)]
    assert due == list(range(30, 301, 30))
    assert [step for step in range(1, 4) if Pictures("training", None, 1, 3, 0).due(step)] == [1, 2, 3]
    assert not any(Pictures("training", None, 0, 300, 0).due(step) for step in range(1, 301))


def test_a_picture_lies_beside_the_log_at_each_of_them(validated, tmp_path):
    train.run(options_for(validated, tmp_path, settings_with(steps=20), pictures=2))
    paths = sorted((tmp_path / "pictures").iterdir())
    assert [path.name for path in paths] == [f"step-{step:06d}.png" for step in range(2, 21, 2)]
    with Image.open(paths[0]) as picture:
        assert picture.size[0] == 5 * (160 + 4) and picture.size[1] == 2 * (240 + 4) + 2 * 32


def test_of_each_person_first_one_pair(validated):
    pairs = pairs_of(options_for(validated, validated), split="validation")
    chosen = Pictures("validation", pairs, 3, 10, 0)._one_of_each_person()
    subjects = pairs.table["subject"][chosen].tolist()
    assert len(pairs) == 6 and len(set(subjects[:2])) == 2 and subjects[2] == subjects[0]
    assert len(set(chosen)) == 3


def test_a_picture_is_the_same_again_and_shows_source_and_truth(validated):
    options = options_for(validated, validated)
    image = {"predict": "x0", "diffuse": "image"}  # whose sample shows its noise
    pairs, run = pairs_of(options, split="validation"), fresh_run(settings_with() | image)
    advance(run, pairs_of(options), 2)
    pictures = Pictures("validation", pairs, 2, 10, 0)
    first, again = (np.asarray(pictures.drawn(run)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    source, truth, _, true_change, _ = np.split(first[32:272, :820], 5, axis=1)
    assert (source != truth).any() and (true_change != 255).any()
    # Ventricles grow: what was grey is dark, drawn in blue.
    blue = (true_change[..., 2].astype(int) - true_change[..., 0]) > 60
    assert blue.any() and truth[blue].mean() < source[blue].mean()


def test_drawing_disturbs_no_training(validated):
    options = options_for(validated, validated)
    pairs, runs = pairs_of(options), [fresh_run(), fresh_run()]
    pictures = Pictures("training", pairs, 1, 10, 0)
    for step in (1, 2, 3):
        for run in runs:
            advance(run, pairs, step)
        pictures.drawn(runs[0])
    assert_same(*runs)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_can_be_drawn_in_few_steps(validated, family):
    run = fresh_run(settings_with(family))
    pairs = pairs_of(options_for(validated, validated))
    run.calibrate(pairs.spread())
    assert getattr(sampling_for(run.average), "steps", 1) <= 20
    assert Pictures("training", pairs, 1, 10, 0).drawn(run).size[0] > 0


def test_where_an_image_is_diffused_one_step_would_show_nothing():
    image = row_of("diffusion") | {"predict": "epsilon", "diffuse": "image"}
    rows = (row_of("diffusion"), image)
    steps = [sampling_for(Recipe.read({"grid": GRID, **row}).build()).steps for row in rows]
    assert steps == [1, 20]


def test_without_validation_people_training_pairs_are_shown_and_it_says_so(study, validated):
    shown = {}
    for name, folder in (("validation", validated), ("training", study)):
        options = options_for(folder, folder, pictures=1)
        both = [pairs_of(options, split) for split in ("train", "validation")]
        shown[name] = train._pictures_of(options, TrainingSettings(), *both)
    assert {name: pictures.split for name, pictures in shown.items()} == {n: n for n in shown}
    assert all(len(pictures.pairs) for pictures in shown.values())
