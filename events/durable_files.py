"""Names that survive a power loss: a folder made, or a file renamed, is one once its folder is synced."""

import os
from pathlib import Path


def make_folder_durably(folder: Path) -> None:
    """Make a folder and its parents, each one's existence synced into the folder above it."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(exist_ok=True)
        sync_folder(each.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power loss."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(path: Path) -> None:
    """Make a file, or a folder with all that is in it, survive a power loss."""
    if path.is_dir():
        for each in path.iterdir():
            sync_tree(each)
    sync_folder(path)
