"""What every family promises, whichever it is."""

from dataclasses import fields, replace

import pytest
import torch

from brainlapse.errors import Refused
from brainlapse.models import FAMILIES, Batch
from brainlapse.models.guided_unet import GuidedUNet
from brainlapse.models.pace import along
from brainlapse.models.settings import settings_from
from brainlapse.models.stored import Recipe, load_model, save_settings, save_weights
from brainlapse.models.unet import UNet

SHAPE = (16, 20, 16)
NETWORK = {"patch": 2, "channels": [8, 16], "attention_levels": [1]}
IMAGE = {"predict": "epsilon", "diffuse": "image"}
OTHERS = {
    name: torch.full((1,), number) for name, number in (("age", 60.0), ("sex", 1.0), ("diagnosis", 2.0))
}
ROWS = {
    "average": {"family": "average"},
    "average_no_interval": {"family": "average", "conditions": ["source"]},
    "average_paced": {
        "family": "average",
        "start": "paced",
        "conditions": ["source", "interval", "diagnosis"],
    },
    "diffusion": {"family": "diffusion"},
    "x0": {"family": "diffusion", "predict": "x0"},
    "from_source": {"family": "diffusion", "start": "source"},
    "v": {"family": "diffusion", "predict": "v"},
    "paper": {"family": "diffusion", **IMAGE},
    "no_source": {"family": "diffusion", **IMAGE, "conditions": ["interval"]},
    "no_interval": {"family": "diffusion", "conditions": ["source"]},
    "unconditional": {"family": "diffusion", **IMAGE, "conditions": []},
    "told_more": {"family": "diffusion", "conditions": ["source", "interval", "age", "sex", "diagnosis"]},
    "history": {"family": "diffusion", "conditions": ["source", "interval", "history"]},
    "flow": {"family": "flow"},
    "flow_usual": {"family": "flow", "start": "usual", "conditions": ["source", "interval", "diagnosis"]},
    "flow_noise": {"family": "flow", "noise": 1.0, "conditions": ["source", "history"]},
    "med_ddpm": {"family": "med_ddpm"},
    "med_ddpm_unconditional": {"family": "med_ddpm", "conditions": []},
    "regression": {"family": "regression"},
    "regression_history": {"family": "regression", "conditions": ["source", "interval", "history"]},
    "regression_diagnosis": {"family": "regression", "conditions": ["source", "interval", "diagnosis"]},
    "regression_no_interval": {"family": "regression", "conditions": ["source"]},
    "regression_change": {"family": "regression", "predict": "change"},
    "regression_from_source": {"family": "regression", "start": "source"},
    "vae": {"family": "vae"},
    "vae_change": {"family": "vae", "predict": "change", "conditions": ["source", "history", "diagnosis"]},
    "gan": {"family": "gan"},
    "gan_change": {"family": "gan", "predict": "change", "conditions": ["source", "history", "diagnosis"]},
}


def test_every_family_has_a_row_here():
    assert {row["family"] for row in ROWS.values()} == set(FAMILIES)


def settings_of(row):
    network = {} if row["family"] == "average" else {"network": NETWORK}
    return {"seed": 0, "grid": {"shape": list(SHAPE)}, **network, **row}


def recipe_of(row):
    return Recipe.read(settings_of(row))


def built(row, shaken=0.0):
    """An untrained model, calibrated; `shaken` moves its zero weights so that its inputs matter."""
    torch.manual_seed(0)
    model = recipe_of(row).build()
    model.calibrate([pair(), replace(pair(seed=1, interval_years=3.0), facts=OTHERS)])
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += shaken * torch.randn_like(parameter)
    return model


def pair(seed=0, batch=1, interval_years=2.0):
    """A ball whose dark core grows, in [-1, 1] and -1 outside."""
    generator = torch.Generator().manual_seed(seed)
    axes = [torch.linspace(-1, 1, n) for n in SHAPE]
    radius = sum(a**2 for a in torch.meshgrid(*axes, indexing="ij")).sqrt()
    core = 0.3 + 0.1 * torch.rand(batch, 1, 1, 1, 1, generator=generator)
    texture = 0.05 * torch.randn(batch, 1, *SHAPE, generator=generator)

    def ball(inner):
        return torch.where(radius < 0.8, torch.tanh(4 * (radius - inner)).clamp(-0.9) + texture, -1.0).clamp(
            -1, 1
        )

    facts = {"age": 70.0, "sex": 0.0, "diagnosis": 1.0}
    facts = {name: torch.full((batch,), number) for name, number in facts.items()}
    # Two scans before the source of the first person, one of the second, two of the third, …
    history_years = torch.tensor([1.5, 3.0]).repeat(batch, 1)
    history_years[1::2, 1] = torch.nan
    history = torch.cat([ball(core - 0.05), ball(core - 0.1)], dim=1)
    history[1::2, 1] = -1.0
    years = torch.full((batch,), interval_years)
    return Batch(ball(core), years, ball(core + 0.1), facts, history, history_years)


def alone(batch, i):
    """The i-th person of a batch without the others, with as many earlier scans as this one has."""
    one = {f.name: getattr(batch, f.name)[i : i + 1] for f in fields(batch) if f.name != "facts"}
    there = one["history_years"].isfinite()[0]
    one |= {"history": one["history"][:, there], "history_years": one["history_years"][:, there]}
    return Batch(**one, facts={name: numbers[i : i + 1] for name, numbers in batch.facts.items()})


def without_history(batch):
    return replace(batch, history=None, history_years=None)


def few_steps(model):
    """The family's own sampling, but no longer than it takes to see what is promised."""
    sampling = model.Sampling()
    return replace(sampling, steps=3) if getattr(sampling, "steps", 1) > 3 else sampling


def generated(model, batch, seed=0):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        return model.generate(
            batch, lambda: torch.randn(batch.source.shape, generator=generator), few_steps(model)
        )


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
class TestEveryFamily:
    def test_the_loss_falls_on_one_pair(self, row):
        for player in built(row).players():
            model, batch = built(row), pair(batch=2)
            adam = torch.optim.Adam(model.players()[player], lr=2e-3)
            losses = []
            for step in range(40):
                torch.manual_seed(step % 4)
                adam.zero_grad()
                loss = model.loss(batch, player)
                loss.backward()
                adam.step()
                losses.append(loss.item())
            assert sum(losses[-4:]) < 0.8 * sum(losses[:4])

    def test_every_weight_learns(self, row):
        model = built(row, shaken=0.02)
        # Several pairs, since one may be drawn at the timestep where the noise is not looked at.
        for player, parameters in model.players().items():
            model.zero_grad()
            model.loss(pair(batch=6), player).backward()
            assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in parameters)

    def test_every_weight_has_one_player(self, row):
        model = built(row)
        played = [parameter for parameters in model.players().values() for parameter in parameters]
        assert sorted(map(id, played)) == sorted(map(id, model.parameters()))

    def test_a_player_leaves_the_weights_of_the_others_alone(self, row):
        model = built(row, shaken=0.02)
        for player, parameters in model.players().items():
            model.zero_grad()
            model.loss(pair(), player).backward()
            own = set(map(id, parameters))
            assert all(id(p) in own or p.grad is None for p in model.parameters())

    def test_nothing_that_the_network_says_is_deaf_at_the_start(self, row):
        model = built(row)
        if not model.players():
            return
        (network,) = (module for module in model.modules() if isinstance(module, UNet | GuidedUNet))
        for player in model.players():
            model.loss(pair(), player).backward()
        said = network.last[-1].weight.grad.abs().amax(dim=(1, 2, 3, 4))
        assert (said > 0).float().mean() > 0.5 and said.reshape(-1, 8).amax(dim=1).min() > 0

    def test_a_sample_lies_on_the_grid_in_range_and_nowhere_but_in_the_brain(self, row):
        batch = pair(batch=2)
        sample = generated(built(row, shaken=0.05), batch)
        assert sample.shape == batch.source.shape and sample.dtype == torch.float32
        assert sample.min() >= -1 and sample.max() <= 1
        assert (sample[~batch.brain] == -1).all()

    def test_it_heeds_the_conditions_it_claims_and_no_other(self, row):
        model = built(row, shaken=0.05)
        batch, conditions = pair(), recipe_of(row).settings.conditions
        sooner = replace(batch, interval_years=torch.full((1,), 0.5))
        # The same brain, so that a model without the source cannot tell them apart.
        brighter = replace(batch, source=torch.where(batch.brain, batch.source * 0.5, -1.0))
        sample = generated(model, batch)
        assert torch.equal(sample, generated(model, sooner)) == ("interval" not in conditions)
        assert torch.equal(sample, generated(model, brighter)) == ("source" not in conditions)
        for changed in (without_history(batch), replace(batch, history_years=batch.history_years * 2)):
            assert torch.equal(sample, generated(model, changed)) == ("history" not in conditions)
        for fact, number in batch.facts.items():
            for other in (number + 1, number * torch.nan):
                changed = generated(model, replace(batch, facts={**batch.facts, fact: other}))
                assert torch.isfinite(changed).all()
                assert torch.equal(sample, changed) == (fact not in conditions)

    def test_a_sample_does_not_depend_on_its_batch(self, row):
        model, batch = built(row, shaken=0.02), pair(batch=3)
        noise = torch.randn(batch.source.shape, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            together = model.generate(batch, lambda: noise, few_steps(model))
            for i in (2, 1, 0):
                sample = model.generate(alone(batch, i), lambda i=i: noise[i : i + 1], few_steps(model))
                # Convolutions may sum in another order for another batch size; and x_0
                # from epsilon at t = T - 1 divides what is left of that by sqrt(a) = 1/157.
                epsilon = row.get("predict") == "epsilon" or row["family"] == "med_ddpm"
                atol = 157e-5 if epsilon else 5e-5
                torch.testing.assert_close(sample, together[i : i + 1], rtol=0, atol=atol)

    def test_what_is_saved_is_what_is_loaded(self, row, tmp_path):
        model, batch = built(row, shaken=0.05), pair()
        save_settings(settings_of(row), tmp_path)
        save_weights(model, tmp_path)
        loaded, recipe = load_model(tmp_path, torch.device("cpu"))
        assert recipe == recipe_of(row)
        assert torch.equal(generated(loaded, batch), generated(model, batch))

    def test_the_loss_draws_from_the_global_generator_alone(self, row):
        model, batch = built(row, shaken=0.02), pair()
        for player in model.players():
            losses = []
            for _ in range(2):
                torch.manual_seed(5)
                losses.append(model.loss(batch, player))
            assert torch.equal(*losses)


@pytest.mark.parametrize(
    "row", [ROWS["average_paced"], ROWS["diffusion"], {"family": "flow", "start": "paced"}]
)
def test_draws_lie_on_both_sides_of_the_expected_pace(row):
    model, batch = built(row, shaken=0.02), pair()
    model.usual.pace.spread.fill_(0.3)
    model.usual.mean[:, :3].mul_(0.01)  # so small motions are linear
    noise = torch.randn(batch.source.shape, generator=torch.Generator().manual_seed(0))

    def asked(pace, chance=0.0):
        noise[0, 0, 0, 0, 0] = chance
        with torch.no_grad():
            return model.generate(batch, lambda: noise, replace(few_steps(model), pace=pace))

    slow, expected, fast = asked("drawn", -1.0), asked("expected"), asked("drawn", 1.0)
    inside = (torch.stack([slow, fast]).abs() < 1).all(dim=0)  # nothing was cut off
    torch.testing.assert_close((slow + fast)[inside] / 2, expected[inside], rtol=0, atol=1e-5)
    years = batch.interval_years * 0.3
    torch.testing.assert_close(
        (fast - slow)[inside] / 2, (years * model.usual.of_a_year(batch))[inside], rtol=0, atol=1e-5
    )
    assert (fast - slow)[inside].abs().max() > 1e-3
    model.usual.mean[:, :3].mul_(100)
    slow, expected, fast = (
        along(each - batch.source, batch, model.usual.of_a_year(batch))
        for each in (asked("drawn", -1.0), asked("expected"), asked("drawn", 1.0))
    )
    assert (slow < expected).all() and (expected < fast).all()


@pytest.mark.parametrize("row", [ROWS["average"], ROWS["paper"], ROWS["from_source"], ROWS["flow"]])
def test_a_pace_that_nothing_foretells_cannot_be_drawn(row):
    model, batch = built(row), pair()
    with pytest.raises(Refused, match=r"sampling\.pace: drawn needs a pace that is foretold"):
        model.generate(batch, lambda: torch.zeros_like(batch.source), replace(few_steps(model), pace="drawn"))


@pytest.mark.parametrize("name", ["average", "diffusion", "regression", "regression_from_source"])
def test_no_time_no_change(name):
    batch = pair(interval_years=0.0)
    sample = generated(built(ROWS[name], shaken=0.05), batch)
    torch.testing.assert_close(sample, batch.source, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"family": "diffusion", "conditions": ["interval"]}, "Add source to conditions"),
        ({"family": "diffusion", "diffuse": "image"}, "motion"),
        ({"family": "regression", "conditions": ["interval"]}, "must be given it"),
        ({"family": "diffusion", "predict": "noise"}, "predict: must be one of"),
        ({"family": "diffusion", "beta": [0.02, 1e-4]}, "beta: must be two numbers"),
        ({"family": "diffusion", "start": "target"}, "start: must be one of source, usual, paced"),
        ({"family": "diffusion", "timestep": 5}, "timestep: there is no such key"),
        ({"family": "diffusion", "network": {"patches": 2}}, "network.patches: there is no such key"),
        ({"family": "diffusion", "network": {"channels": [12]}}, "network.channels: 12 is no multiple"),
        ({"family": "diffusion", "network": {"attention_levels": [4]}}, "there is no level 4; the last is 3"),
        (
            {"family": "diffusion", "conditions": ["weight"]},
            "conditions: must be one of source, interval, history, age",
        ),
        ({"family": "forest"}, "family: must be one of average, diffusion"),
        (
            {"family": "average", "conditions": ["interval"]},
            "conditions: the average motion starts from the source",
        ),
        ({"family": "average", "conditions": ["source", "age"]}, "with start: paced with facts too"),
        ({"family": "vae", "conditions": ["interval"]}, "conditions: the generator .* must be given it"),
        ({"family": "vae", "beta": -1}, "beta: must be a number of at least 0"),
        ({"family": "gan", "predict": "motion"}, "predict: must be one of image, change"),
        ({"family": "gan", "latent": 0}, "latent: must be a whole number of at least 1"),
        ({"family": "gan", "l1": "much"}, "l1: must be a number of at least 0"),
        ({"grid": {"shape": [16, 20]}, "family": "regression"}, "grid.shape"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_name(row, message):
    with pytest.raises(Refused, match=message):
        Recipe.read({"seed": 0, "grid": {"shape": list(SHAPE)}, **row})


def test_a_grid_that_does_not_fit_is_refused_with_the_nearest_that_do():
    family = FAMILIES["regression"]
    with pytest.raises(Refused, match=r"multiple of 16.*\[32, 48, 32\] and \[48, 64, 48\]"):
        family(settings_from(family.Settings, {}), (40, 50, 40))


def test_weights_of_other_settings_are_refused(tmp_path):
    save_settings({"seed": 0, "grid": {"shape": list(SHAPE)}, "network": NETWORK, **ROWS["paper"]}, tmp_path)
    save_weights(built(ROWS["regression"]), tmp_path)
    with pytest.raises(Refused, match="does not fit"):
        load_model(tmp_path, torch.device("cpu"))


def test_a_pickle_in_the_place_of_weights_is_never_opened(tmp_path):
    class Payload:
        def __reduce__(self):
            return (open, (str(tmp_path / "fired"), "w"))

    save_settings({"seed": 0, "grid": {"shape": list(SHAPE)}, "network": NETWORK, **ROWS["x0"]}, tmp_path)
    torch.save(Payload(), tmp_path / "model.safetensors")
    with pytest.raises(Refused, match="holds no whole model"):
        load_model(tmp_path, torch.device("cpu"))
    assert not (tmp_path / "fired").exists()
