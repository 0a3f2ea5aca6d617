"""`--processes N`: the same command in N processes of this machine, as torchrun would start them.

Unlike torchrun it ends with the exit status of the training, so that a workflow
can tell a refusal from a run that was stopped and can go on. Where SLURM's srun
starts the command once on each of several machines, they find each other.
"""

import os
import sys
import uuid

from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from brainlapse.errors import Refused
from brainlapse.train.loop import STOPPED

_SECONDS_TO_SAVE = 600  # for a process that is told to stop, before it is killed


def machines() -> int:
    """On how many machines srun started this command; 1 if it did not."""
    tasks, nodes = (int(os.environ.get(f"SLURM_STEP_NUM_{what}", 1)) for what in ("TASKS", "NODES"))
    if tasks != nodes:
        raise Refused(
            f"srun started this training {tasks} times on {nodes} machine(s), and each would train alone. "
            "Start it once a machine (srun --ntasks-per-node=1); train.processes says how many processes a "
            "machine takes."
        )
    return nodes


def launched(processes: int) -> int:
    """Run this process's own command in `processes` processes; return the exit status of the training."""
    nodes = machines()
    config = LaunchConfig(
        min_nodes=nodes,
        max_nodes=nodes,
        nproc_per_node=processes,
        run_id=uuid.uuid4().hex if nodes == 1 else _step(),
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0" if nodes == 1 else _meeting_place(),
        max_restarts=0,  # a restart is Snakemake's affair, and goes on from the checkpoint
        shutdown_timeout=_SECONDS_TO_SAVE,
    )
    try:
        elastic_launch(config, sys.executable)("-m", "brainlapse", *sys.argv[1:])
    except ChildFailedError as failed:
        return failed.get_first_failure()[1].exitcode
    except SignalException:
        return STOPPED
    return 0


def _step() -> str:
    """The name of the SLURM step that this command is a part of: the same on all machines."""
    return f"{os.environ['SLURM_JOB_ID']}.{os.environ['SLURM_STEP_ID']}"


def _meeting_place() -> str:
    """Where the machines meet: where srun was called, which in a batch job is the first of them."""
    port = 20_000 + int(os.environ["SLURM_JOB_ID"]) % 10_000
    return f"{os.environ['SLURM_LAUNCH_NODE_IPADDR']}:{port}"
