"""Fingerprints that tell Snakemake when code or a download has changed in a way that matters.

Snakemake sees neither the modules behind `python -m brainlapse` nor a study's
folder tree, so rules carry these strings as parameters. Only the standard
library is used: they are computed while the Snakefile is read.
"""

import ast
import hashlib
import os
from functools import cache
from pathlib import Path

from brainlapse.folders import ARCHIVES, SIDE_FILES, TABLES, File, files_under, unreadable

PACKAGE = Path(__file__).parent


@cache
def code_of(part: str) -> str:
    """Return a fingerprint of a part of this package and all of the package that it imports.

    A part is a stage (`report`), with every file in its folder, or one of its
    modules (`preprocess.subject`). Comments, docstrings and layout do not count;
    other files in a stage's folder, such as a page template, count byte for byte.
    """
    digest = hashlib.sha256()
    for path in sorted(files_behind(part)):
        digest.update(str(path.relative_to(PACKAGE)).encode())
        digest.update(_meaning(path))
    return digest.hexdigest()[:16]


@cache
def code_by_file(part: str) -> dict[str, str]:
    """Return the fingerprint of each file behind a part, by its path in the package."""
    return {
        str(path.relative_to(PACKAGE)): hashlib.sha256(_meaning(path)).hexdigest()[:16]
        for path in sorted(files_behind(part))
    }


def download_of(root: str | Path) -> str:
    """Return a fingerprint of a study's folder: every path that folders.files_under finds in it.

    Tables count by content, archives and side files by size and time, since
    there are too many bytes of them to read each time. Images count by name
    only; a replaced image is seen by the rule that reads it. Raises Refused
    for what cannot be read.
    """
    digest = hashlib.sha256()
    above = len(str(Path(root)))
    for file in sorted(files_under(root)):
        digest.update(os.fsencode(file.path[above:]) + b"\0" + _what_counts(file))
    return digest.hexdigest()[:16]


def files_behind(part: str) -> set[Path]:
    """Return a module, or a stage's files, and all modules of this package that they import."""
    place = PACKAGE.joinpath(*part.split("."))
    module = place.with_suffix(".py")
    found, waiting = set(), {module} if module.exists() else {p for p in place.rglob("*") if _counts(p)}
    while waiting:
        path = waiting.pop()
        found.add(path)
        if path.suffix == ".py":
            waiting |= _imported_by(path) - found
    return found


def _what_counts(file: File) -> bytes:
    name = file.path.lower()
    if name.endswith(TABLES):
        return _content(file.path)
    if name.endswith((*ARCHIVES, *SIDE_FILES)):
        return f"{file.size} {file.mtime_ns}\0".encode()
    return b""


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        raise unreadable(path, error) from None


def _counts(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")


def _imported_by(path: Path) -> set[Path]:
    modules = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {file for module in modules for file in _file_of(module)}


def _file_of(module: str) -> set[Path]:
    first, *rest = module.split(".")
    if first != PACKAGE.name or not rest:
        return set()
    place = PACKAGE.joinpath(*rest)
    return {file for file in (place.with_suffix(".py"), place / "__init__.py") if file.exists()}


def _meaning(path: Path) -> bytes:
    if path.suffix != ".py":
        return path.read_bytes()
    tree = ast.parse(path.read_bytes())
    for node in ast.walk(tree):
        documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        if documented and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return ast.dump(tree).encode()
