"""A copy of this checkout with its hot modules compiled, for benches that measure both."""

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_LEFT_OUT = shutil.ignore_patterns(".*", "*.so", "__pycache__", "build", "node_modules", "results")


def compiled_copy(folder: Path) -> Path:
    """Copy the source as it is now into `folder` and compile it as `make compiled` does: a minute or two.

    Raises `subprocess.CalledProcessError` where there is no C compiler.
    """
    copy = folder / "compiled"
    shutil.copytree(ROOT, copy, ignore=_LEFT_OUT)
    (copy / ".venv").symlink_to(ROOT / ".venv")
    subprocess.run(
        ["make", "-o", ".venv/.dev-installed", "compiled"], cwd=copy, check=True, stdout=subprocess.DEVNULL
    )
    return copy
