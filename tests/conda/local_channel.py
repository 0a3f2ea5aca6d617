"""A conda channel on this disk, for machines that cannot reach conda-forge: this very Python, and pip.

These two are all that envs/*.yaml ask of conda-forge; what stands under `pip:` there is installed by the
environment's own pip, here as anywhere. The packages are real ones (https://conda.org/learn/ceps, CEP 26 to
35), so that any conda could install them; only their contents are this machine's.
"""

import hashlib
import io
import json
import sys
import sysconfig
import tarfile
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

from conda_package_streaming.create import CondaTarFile, anonymize, conda_builder
from rattler import Subdir
from rattler.index import index_fs

WITNESS = Path(__file__).with_name("witness.py")
LIBRARY = f"lib/python{sys.version_info.major}.{sys.version_info.minor}"
LEFT_OUT = {"site-packages", "test", "tests", "idlelib", "tkinter", "turtledemo", "lib2to3", "ensurepip",
            "EXTERNALLY-MANAGED"}  # fmt: skip


async def write_channel(channel: Path) -> None:
    """Write the packages `python` and `pip` and the index of them into the folder `channel`."""
    platform = str(Subdir.current())
    python = {"name": "python", "version": "{}.{}.{}".format(*sys.version_info), "depends": []}
    _write_package(channel / platform, python, dict(_files_of_python()))
    pip = {"name": "pip", "version": distribution("pip").version, "depends": ["python"], "noarch": "python"}
    _write_package(
        channel / "noarch", pip, dict(_files_of_pip()), commands=["pip = pip._internal.cli.main:main"]
    )
    await index_fs(channel, write_zst=False, write_shards=False)


def _files_of_python() -> Iterator[tuple[str, Path | bytes | str]]:
    """The interpreter, its library, its standard library and headers, by their place in an environment."""
    base = Path(sys.base_prefix)
    version = LIBRARY.removeprefix("lib/")
    yield f"bin/{version}", _independent((base / "bin" / version).read_bytes())
    yield from ((f"bin/{name}", version) for name in ("python", "python3"))  # links
    for folder in (LIBRARY, f"include/{version}"):
        for path in sorted((base / folder).rglob("*")):
            place = path.relative_to(base)
            if path.is_file() and not LEFT_OUT & set(place.parts) and not _of_building(place):
                yield str(place), path
    for path in sorted((base / "lib").glob("libpython*.so.*")):
        yield f"lib/{path.name}", path
    yield f"{LIBRARY}/sitecustomize.py", WITNESS


def _of_building(place: Path) -> bool:
    return "__pycache__" in place.parts or any(part.startswith("config-") for part in place.parts)


def _independent(executable: bytes) -> bytes:
    """The executable, looking for its library beside itself and not where this Python was installed."""
    there, here = f"{sysconfig.get_config_var('LIBDIR')}\0".encode(), b"$ORIGIN/../lib\0"
    return executable.replace(there, here.ljust(len(there), b"\0")) if len(here) <= len(there) else executable


def _files_of_pip() -> Iterator[tuple[str, Path]]:
    for file in distribution("pip").files:
        if "__pycache__" not in file.parts and ".." not in file.parts:
            yield f"site-packages/{file}", Path(file.locate())


def _write_package(folder: Path, record: dict, files: dict[str, Path | bytes | str], commands=()) -> None:
    """Write NAME-VERSION-0.conda: a path or bytes is a file, a string a link to the neighbour so named."""
    folder.mkdir(parents=True)
    record = {**record, "build": "0", "build_number": 0, "subdir": folder.name}
    stem = "{name}-{version}-{build}".format(**record)
    with conda_builder(stem, folder, compression_level=1) as package:
        paths = [_add(package, place, content) for place, content in files.items()]
        _add(package, "info/index.json", json.dumps(record).encode())
        _add(package, "info/paths.json", json.dumps({"paths": paths, "paths_version": 1}).encode())
        if record.get("noarch"):
            link = {"noarch": {"type": "python", "entry_points": commands}, "package_metadata_version": 1}
            _add(package, "info/link.json", json.dumps(link).encode())


def _add(package: CondaTarFile, place: str, content: Path | bytes | str) -> dict:
    """Put a file or a link into the package; return its line of info/paths.json."""
    header = anonymize(tarfile.TarInfo(place))
    if isinstance(content, str):
        header.type, header.linkname = tarfile.SYMTYPE, content
        package.addfile(header)
        return {"_path": place, "path_type": "softlink"}
    data = content.read_bytes() if isinstance(content, Path) else content
    header.size, header.mode = len(data), 0o755 if place.startswith("bin/") else 0o644
    package.addfile(header, io.BytesIO(data))
    digest = hashlib.sha256(data).hexdigest()
    return {"_path": place, "path_type": "hardlink", "sha256": digest, "size_in_bytes": len(data)}
