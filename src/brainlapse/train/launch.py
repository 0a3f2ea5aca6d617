"""`--processes N`: the same command in N processes of this machine, as torchrun would start them.

Unlike torchrun it ends with the exit status of the training, so that a workflow
can tell a refusal from a run that was stopped and can go on.
"""

import sys
import uuid

from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from brainlapse.train.loop import STOPPED

_SECONDS_TO_SAVE = 600  # for a process that is told to stop, before it is killed


def launched(processes: int) -> int:
    """Run this process's own command in `processes` processes; return the exit status of the training."""
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
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
