"""The packed volumes of one cohort, `volumes.npy`: memory-mapped, or resident on the device.

A volume is packed in one byte a voxel (0 for the background, 1 to 255 for the
rest of [-1, 1]) or in two, as a half-precision number. Packed it travels to the
device, and there it is unpacked.
"""

import hashlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

from brainlapse.errors import Refused
from brainlapse.train.memory import is_of_memory
from brainlapse.volumes import BACKGROUND

MAPPED, RESIDENT = "mapped", "device"
PLACES = (MAPPED, RESIDENT)
_PACKED_AS = (np.dtype(np.uint8), np.dtype(np.float16))
_HASHED_AT_ONCE = 4  # volumes, a thread each


class Store:
    """`volumes.npy`, (N, X, Y, Z); refused if it is absent, broken, or of another grid."""

    def __init__(self, path: Path, shape: tuple[int, int, int]):
        self.path = path
        try:
            self._volumes = np.load(path, mmap_mode="r", allow_pickle=False)
        except FileNotFoundError:
            raise Refused(f"{path} is not there. The stage preprocess must run first.") from None
        except (ValueError, EOFError, OSError) as error:
            raise Refused(f"{path} cannot be read: {error}. Run preprocess again.") from None
        if self._volumes.dtype not in _PACKED_AS or self._volumes.shape[1:] != tuple(shape):
            raise Refused(
                f"{path} holds {self._volumes.dtype} volumes of {list(self._volumes.shape[1:])} voxels; "
                f"grid.shape is {list(shape)}. Run preprocess again."
            )
        self.dtype = torch.from_numpy(np.empty(0, self._volumes.dtype)).dtype
        self._resident: torch.Tensor | None = None
        self._place_of: dict[int, int] = {}  # a row's place among the resident ones

    def __len__(self) -> int:
        return len(self._volumes)

    def settle(self, rows: Iterable[int], device: torch.device) -> None:
        """Bring these rows to the device, once and for all. Refused if they do not fit there."""
        rows = sorted(set(rows))
        size = len(rows) * self._volumes[:1].nbytes
        try:
            resident = torch.empty((len(rows), *self._volumes.shape[1:]), dtype=self.dtype, device=device)
            for place, row in enumerate(rows):  # in the order of the file
                resident[place].copy_(torch.from_numpy(np.array(self._volumes[row])))
        except (MemoryError, RuntimeError) as error:
            if not is_of_memory(error):
                raise
            raise Refused(
                f"train.volumes: device: {len(rows)} volumes of {self.path}, {size / 2**30:.1f} GiB, do not "
                f"fit into the memory of {device}. Choose mapped."
            ) from None
        self._resident, self._place_of = resident, {row: place for place, row in enumerate(rows)}

    def put(self, rows: Sequence[int], into: torch.Tensor, at: Sequence[int]) -> None:
        """Copy the volumes of `rows` to the places `at` of `into`, (n, X, Y, Z), still packed."""
        if self._resident is not None:
            for row, place in zip(rows, at, strict=True):
                into[place].copy_(self._resident[self._place_of[row]])
            return
        volumes = into.numpy()
        for row, place in zip(rows, at, strict=True):
            volumes[place] = self._volumes[row]

    def digests(self, rows: Iterable[int]) -> dict[int, bytes]:
        """A fingerprint of all voxels of each row, read once and in the order of the file."""
        rows = sorted(set(rows))
        with ThreadPoolExecutor(_HASHED_AT_ONCE) as pool:
            return dict(zip(rows, pool.map(self._digest, rows), strict=True))

    def _digest(self, row: int) -> bytes:
        return hashlib.blake2b(np.ascontiguousarray(self._volumes[row]), digest_size=16).digest()


def unpacked(packed: torch.Tensor) -> torch.Tensor:
    """Volumes in [-1, 1], float32, where the packed ones lie: `volumes.from_bytes` for tensors."""
    return packed.float() / 127.5 - 1 if packed.dtype == torch.uint8 else packed.float()


def background(dtype: torch.dtype) -> float:
    """What an empty voxel is when packed."""
    return 0 if dtype == torch.uint8 else BACKGROUND
