"""What ANTs cannot do for want of memory is no fault of the scan."""

import os
import subprocess
import sys

import pytest

SHORT_OF_MEMORY = """
import resource
import numpy as np
from brainlapse.preprocess.geometry import Image
from brainlapse.preprocess.registration import Levels, register
head = Image(np.random.default_rng(0).random((220, 220, 220), dtype=np.float32), np.eye(4))
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 200 * 2**20,) * 2)
register("Rigid", head, head, np.eye(4), Levels((2,), (1,)))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the limit on memory is not kept")
def test_want_of_memory_in_itk_is_told_as_such_and_not_as_a_failed_registration():
    """A quarantined scan would be lost; a failed job is done again with more memory."""
    paths = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    ended = subprocess.run(
        [sys.executable, "-c", SHORT_OF_MEMORY], env=os.environ | paths, capture_output=True, text=True
    )
    assert ended.returncode == 1
    assert "itk" in ended.stderr and ended.stderr.splitlines()[-1].startswith("MemoryError")
