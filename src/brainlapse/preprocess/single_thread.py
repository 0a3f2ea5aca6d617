"""One thread and fixed seeds for ITK and the matrix libraries, set before any of them is loaded."""

import os

# ITK and the matrix libraries read these once, when they are loaded, and each child process loads them anew.
# With more threads results would differ, ITK's from run to run, a matrix product's with the number of cores.
os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] = "1"
os.environ["ANTS_RANDOM_SEED"] = "1234"
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"
os.environ["VECLIB_MAXIMUM_THREADS"] = "1"
