"""Files that a replay writes, looked at before anything is read: no input is overwritten, no work is lost."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pipelines.errors import ReplayError

OUT_SUFFIXES = (".parquet", ".csv")


def rejected_beside(path: Path) -> Path:
    """Where broken rows go if nothing else is said."""
    return path.with_name(path.name + ".rejected.csv")


def check_outputs(reads: Sequence[Path], out: Path | None, rejected: Path | None) -> None:
    """Raise `ReplayError` where a file to write is one to read, or cannot be written.

    `reads` begins with the file of history.
    """
    if out is not None and out.suffix.lower() not in OUT_SUFFIXES:
        raise ReplayError(f"--out {out} must end in {' or '.join(OUT_SUFFIXES)}")
    beside = rejected or rejected_beside(reads[0])
    writes = ({} if out is None else {"--out": out}) | ({} if rejected is None else {"--rejected": rejected})
    _check_distinct(reads, {**writes, "--rejected": beside})
    for option, path in writes.items():
        _check_writable(option, path)


def _check_distinct(reads: Sequence[Path], writes: Mapping[str, Path]) -> None:
    for option, path in writes.items():
        if any(_same(path, read) for read in reads):
            raise ReplayError(f"{option} {path} would overwrite a file that is read: name another")
    if "--out" in writes and _same(writes["--out"], writes["--rejected"]):
        raise ReplayError(f"--out {writes['--out']} is where broken rows go: name another")


def _same(one: Path, other: Path) -> bool:
    if one.exists() and other.exists():
        return one.samefile(other)
    return one.resolve() == other.resolve()


def _check_writable(option: str, path: Path) -> None:
    there = path.exists()
    try:
        with path.open("ab"):
            pass
        if not there:
            path.resolve().unlink()
    except OSError as error:
        raise ReplayError(f"{option} {path} cannot be written: {error.strerror}") from None
