"""The canonical space takes the canonical weights alone; features of real scans are computed once."""

import numpy as np
import pytest
import torch

from brainlapse.errors import Refused
from brainlapse.evaluate.distances import name_of
from brainlapse.evaluate.features import NAME
from brainlapse.evaluate.fidelity import torch_fidelity
from brainlapse.evaluate.inception import SLICES, InceptionFeatures, slices_of
from brainlapse.evaluate.spaces import Spaces


@pytest.fixture
def volume():
    return np.random.default_rng(0).uniform(size=(16, 20, 16)).astype(np.float32)


def test_the_features_of_a_scan_are_remembered_and_a_torn_file_is_made_again(tmp_path, volume):
    spaces = Spaces(None, tmp_path)
    first = spaces.of_scan(volume)[NAME]
    (path,) = tmp_path.rglob("*.npy")
    np.save(path, np.full_like(first, 7))
    np.testing.assert_array_equal(Spaces(None, tmp_path).of_scan(volume)[NAME], np.full_like(first, 7))
    path.write_bytes(path.read_bytes()[:100])
    np.testing.assert_array_equal(spaces.of_scan(volume)[NAME], first)
    spaces.of_scan(volume + np.float32(0.01))
    assert len(list(tmp_path.rglob("*.npy"))) == 2
    np.testing.assert_array_equal(spaces.of_sample(volume)[NAME], first)


def test_only_the_canonical_space_bears_the_name_fid():
    assert name_of("frechet", "inception2015_3plane") == "fid_inception2015_3plane"
    assert name_of("frechet", NAME) == f"frechet_{NAME}"
    assert name_of("kid", "inception2015_3plane") == "kid_inception2015_3plane"


def test_slices_go_through_the_middle_of_all_three_planes(volume):
    planes = slices_of(volume)
    assert [tuple(plane.shape) for plane in planes] == [
        (SLICES, 3, 20, 16), (SLICES, 3, 16, 16), (SLICES, 3, 16, 20),
    ]  # fmt: skip
    for axis, plane in enumerate(planes):
        assert plane.dtype == torch.uint8
        middle = np.rint(255 * np.take(volume, volume.shape[axis] // 2, axis))
        assert any(np.array_equal(one[0].numpy(), middle) for one in plane)


def test_other_weights_than_the_canonical_are_refused(tmp_path):
    with pytest.raises(Refused, match=r"inception_weights: .*absent.pth cannot be read.*Download https"):
        InceptionFeatures(tmp_path / "absent.pth")
    torch.save({"fc.bias": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(Refused, match=r"SHA-256 begins with \w{8}, not 6726825d"):
        Spaces(str(tmp_path / "other.pth"), tmp_path)


class Harmful:
    def __reduce__(self):
        return print, ("run",)


def test_a_weights_file_with_code_in_it_is_not_run(tmp_path, capsys):
    torch.save({"fc.bias": Harmful()}, tmp_path / "harmful.pth")
    with pytest.raises(Exception, match=r"[Ww]eights"):
        InceptionFeatures(tmp_path / "harmful.pth", sha256="")
    assert "run" not in capsys.readouterr().out


@pytest.mark.slow
def test_the_network_is_torch_fidelitys_inception(tmp_path, volume):
    """With weights of the right shapes: the canonical ones cannot be fetched by a test."""
    module = torch_fidelity.feature_extractor_inceptionv3
    shapes = _random_weights(module)
    torch.save(shapes, tmp_path / "weights.pth")
    space = InceptionFeatures(tmp_path / "weights.pth", sha256="")
    found = space(volume)
    assert found.shape == (3 * SLICES, 2048) and np.isfinite(found).all()
    theirs = module.FeatureExtractorInceptionV3(
        "inception-v3-compat", ["2048"], feature_extractor_weights_path=str(tmp_path / "weights.pth")
    )
    np.testing.assert_allclose(found[0], theirs(slices_of(volume)[0][:1])[0][0].numpy(), rtol=1e-4)


def _random_weights(module) -> dict[str, torch.Tensor]:
    """What the network's own parameters and buffers look like before any weights are read."""
    kept = {}

    class Bare(module.FeatureExtractorInceptionV3):
        def load_state_dict(self, state_dict, *_, **__):
            kept.update({name: value.clone() for name, value in self.state_dict().items()})

    original, module.torch.load = module.torch.load, lambda *_, **__: {}
    try:
        Bare("inception-v3-compat", ["2048"], feature_extractor_weights_path="none")
    finally:
        module.torch.load = original
    return kept
