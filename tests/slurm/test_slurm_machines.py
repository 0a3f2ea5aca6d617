"""One model that two machines train together: srun starts the command once on each of them."""

import re

import pytest
from safetensors.torch import load_file
from submitted import copied

pytestmark = pytest.mark.slow

STEPS = 5
_TWO_MACHINES = ("nodes=2", "tasks=2", "mpi=srun", "launcher=srun --nodes=2 --ntasks-per-node=1", "gpu=0")


@pytest.fixture(scope="module")
def together(submitted, tmp_path_factory):
    """Two studies with a trained model: by two machines of one process, and by one machine of two."""
    studies = []
    for name, processes, options in (
        ("two", 1, ("--set-resources", *(f"train:{one}" for one in _TWO_MACHINES))),
        ("one", 2, ()),
    ):
        study = copied(submitted, tmp_path_factory.mktemp(name), ("whole",), STEPS, processes)
        study.finish(study.start(*options, "--", *study.weights))
        studies.append(study)
    return studies


def test_two_machines_are_used(together):
    two, _ = together
    (job,) = two.jobs("rule_train/whole")
    assert job["NumNodes"] == "2" and job["JobState"] == "COMPLETED"


def test_all_processes_train_one_model_and_one_of_them_writes(together):
    for study in together:
        log = (study.folder / "results/logs/train/whole.log").read_text()
        assert "2 process(es)" in log and len(re.findall(f"step {STEPS}/{STEPS}", log)) == 1


def test_two_machines_learn_what_two_processes_of_one_do(together):
    first, second = (load_file(study.folder / study.weights[0]) for study in together)
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert (tensor - second[name]).abs().max() <= 2e-3 * max(tensor.abs().max().item(), 1e-2), name
