"""Which of several copies of one file is used: archives are often unpacked beside themselves, or in part."""

import logging

from brainlapse.manifest.inventory import Item

log = logging.getLogger(__name__)


def one_of_copies(items: list[Item]) -> tuple[Item, str | None]:
    """Return the file to use of several that bear one name, and what is wrong where they are not copies.

    `.nii` comes before `.nii.gz`, and a file in the open before one in an
    archive; but if their sizes differ, unpacking broke off, and the archive's
    is used. Two files in the open, or two in archives, that differ in size
    are no copies: the problem names both. The order of the items does not matter.
    """
    if len(items) == 1:
        return items[0], None
    items = sorted(items, key=lambda item: (_is_gzipped(item), item.archive or "", item.path))
    same = [item for item in items if _is_gzipped(item) == _is_gzipped(items[0])]
    unpacked, packed = [i for i in same if not i.archive], [i for i in same if i.archive]
    for copies in (unpacked, packed):
        differing = next((item for item in copies if item.size != copies[0].size), None)
        if differing:
            return copies[0], f"{copies[0].path} and {differing.path}"
    if unpacked and packed and unpacked[0].size != packed[0].size:
        log.warning("manifest: %s was unpacked only in part; the archive's is used", unpacked[0].path)
        return packed[0], None
    return same[0], None


def _is_gzipped(item: Item) -> bool:
    return item.path.lower().endswith(".gz")
