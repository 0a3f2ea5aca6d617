"""Every interpreter of the test channel tells what it was: a line of JSON in the file that WITNESS names.

The channel's python has this file as its `sitecustomize`; the stages know nothing of it.
"""

import atexit
import json
import os
import sys


def tell() -> None:
    """The environment, the command, and from where each module that has a file was imported."""
    files = {getattr(module, "__file__", None) or "" for module in list(sys.modules.values())}
    real = sorted(filter(os.path.isabs, files))  # torch makes up names of files for some of its modules
    seen = {"prefix": sys.prefix, "command": sys.orig_argv, "files": real}
    with open(os.environ["WITNESS"], "a") as lines:
        lines.write(json.dumps(seen) + "\n")


if "WITNESS" in os.environ:
    atexit.register(tell)
