"""A power cut that drops what was not synced, and syncs counted: both from a recording of a process's calls.

`record` runs a program under strace. `Disk` replays the recorded calls on a model of the disk: bytes live in
memory until their file is synced, a new or removed name until its folder is. At each acknowledgement (a write
to the program's standard output) the model says how many syncs came before it, and what a power cut leaves.
"""

import itertools
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

CALLS = "openat,mkdir,pwrite64,write,ftruncate,fsync,fdatasync,unlink"
_SYNCS = {"fsync", "fdatasync"}
_RESUMED = re.compile(r"<\.\.\. \w+ resumed>(.*)")
_NOT_FINISHED = " <unfinished ...>"
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_DESCRIPTOR = re.compile(r"\w+\(\d+<([^>]*)>")
_LAST_NUMBER = re.compile(r", (\d+)\) ")


def record(arguments: list[str], folder: Path, *, seconds_max: float = 120) -> Path:
    """Run `python ARGUMENTS` under strace; `folder` takes the recording and what the program acknowledged."""
    assert shutil.which("strace"), "install strace: without it nobody can see a missing sync"
    folder.mkdir(parents=True, exist_ok=True)
    recording = folder / "calls"
    command = ["strace", "-f", "-y", "-xx", "-s", str(1 << 24), "--seccomp-bpf", "-e", f"trace={CALLS}"]
    with (folder / "acknowledged").open("wb") as acknowledged:
        subprocess.run(
            [*command, "-o", str(recording), sys.executable, *arguments],
            cwd=Path(__file__).parents[1],
            stdout=acknowledged,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            timeout=seconds_max,
            check=True,
        )
    return recording


@dataclass
class File:
    """Its bytes as programs see them, and as a power cut would leave them. A folder is one without bytes."""

    cached: bytearray = field(default_factory=bytearray)
    synced: bytes = b""
    is_folder: bool = False

    def write(self, data: bytes, offset: int) -> None:
        if len(self.cached) < offset:
            self.cached.extend(bytes(offset - len(self.cached)))
        self.cached[offset : offset + len(data)] = data

    def resize(self, size: int) -> None:
        self.cached[:] = self.cached[:size].ljust(size, b"\0")


@dataclass(frozen=True)
class Acknowledgement:
    """One write to standard output: what it said, the syncs since the one before, and the disk then.

    `synced` is what was safe by then; `cached` what programs saw, of which a power cut may leave some.
    """

    text: str
    syncs: int
    synced: dict[str, bytes]
    cached: dict[str, bytes]

    def power_cuts(self) -> Iterator[dict[str, bytes]]:
        """Each disk that a power cut may leave: any file may have got further than its last sync, or not."""
        for choice in itertools.product((self.synced, self.cached), repeat=len(self.synced)):
            names = zip(self.synced, choice, strict=True)
            yield {name: source.get(name, self.synced[name]) for name, source in names}


class Disk:
    """The folder `root`, empty when the recording began; itself it is durable."""

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        self._names: dict[str, File] = {}
        self._durable_names: dict[str, dict[str, File]] = {}
        self._syncs = 0

    def acknowledgements(self, recording: Path) -> Iterator[Acknowledgement]:
        """What was acknowledged, in order, each with the disk as it was at that moment."""
        output = str(recording.with_name("acknowledged"))
        unfinished: dict[str, tuple[str, object]] = {}
        with recording.open() as lines:
            for line in lines:
                thread, _, call = line.rstrip("\n").partition(" ")
                call = call.lstrip()
                if resumed := _RESUMED.match(call):
                    begun, covered = unfinished.pop(thread)
                    self._end(begun + resumed[1], covered)
                    continue
                if call.startswith("write(") and _path(call) == output:
                    yield self._acknowledgement(_data(call))
                # A sync covers what was written before it began, and counts when it has ended.
                covered = self._covered(call)
                if call.endswith(_NOT_FINISHED):
                    unfinished[thread] = (call.removesuffix(_NOT_FINISHED), covered)
                else:
                    self._end(call, covered)

    def _acknowledgement(self, said: bytes) -> Acknowledgement:
        synced = {name: file.synced for name, file in self._reachable(self._root) if not file.is_folder}
        cached = {name: bytes(file.cached) for name, file in self._names.items()}
        syncs, self._syncs = self._syncs, 0
        return Acknowledgement(said.decode().strip(), syncs, synced, cached)

    def _reachable(self, folder: str) -> Iterator[tuple[str, File]]:
        """The names that are durable in folders that are durable themselves."""
        for name, file in self._durable_names.get(folder, {}).items():
            yield name, file
            yield from self._reachable(name)

    def _covered(self, call: str) -> object:
        """What a sync makes durable when it ends: the bytes of a file, or the names in a folder."""
        path = _path(call)
        if _name(call) not in _SYNCS or path is None:
            return None
        if path in self._names and not self._names[path].is_folder:
            return bytes(self._names[path].cached)
        return {name: file for name, file in self._names.items() if str(PurePosixPath(name).parent) == path}

    def _end(self, call: str, covered: object) -> None:
        path, name = _path(call), _name(call)
        failed = call.rpartition(" = ")[2].startswith(("-", "?"))
        if failed or path is None or not path.startswith(self._root):
            return
        if name in _SYNCS:
            self._sync(path, covered)
        elif name == "mkdir" or (name == "openat" and "O_CREAT" in call):
            self._names.setdefault(path, File(is_folder=name == "mkdir"))
        elif name == "unlink":
            self._names.pop(path, None)
        elif path in self._names:
            self._change(self._names[path], name, call)

    def _sync(self, path: str, covered: object) -> None:
        self._syncs += 1
        if isinstance(covered, bytes) and path in self._names:
            self._names[path].synced = covered
        elif isinstance(covered, dict):
            self._durable_names[path] = covered

    def _change(self, file: File, name: str, call: str) -> None:
        numbers = _LAST_NUMBER.findall(call)
        if name == "pwrite64":
            file.write(_data(call), int(numbers[-1]))
        elif name == "ftruncate":
            file.resize(int(numbers[-1]))
        elif name == "write" and not file.is_folder:
            raise AssertionError("this model follows positioned writes only")


def lay_out(files: dict[str, bytes], root: Path, copy: Path) -> None:
    """Make the files of a power cut real, below `copy` instead of `root`."""
    for name, content in files.items():
        path = copy / Path(name).relative_to(root)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _name(call: str) -> str:
    return call.partition("(")[0]


def _path(call: str) -> str | None:
    """The path of the call's file: of its descriptor, or the one that the call names."""
    by_name = _name(call) in {"openat", "mkdir", "unlink"}
    found = _STRING.search(call) if by_name else _DESCRIPTOR.match(call)
    return _unescaped(found[1]).decode() if found else None


def _data(call: str) -> bytes:
    found = _STRING.search(call)
    return _unescaped(found[1]) if found else b""


def _unescaped(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", "")) if text.startswith("\\x") else text.encode()
