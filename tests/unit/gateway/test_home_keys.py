"""A home and its keys folder know each other: neither takes what is another's."""

import os
import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.errors import HomeError
from gateway.keys.home_keys import HOME_ID, ensure_keys, keys_of

NOW = datetime.now(UTC)


def test_keys_of_one_home_are_refused_to_another_and_nothing_is_made(tmp_path: Path) -> None:
    keys = ensure_keys(tmp_path / "uh", tmp_path / "uk", NOW)
    before = sorted(keys.rglob("*"))

    for use in (lambda: keys_of(tmp_path / "uy", keys), lambda: ensure_keys(tmp_path / "uy", keys, NOW)):
        with pytest.raises(HomeError, match="are the keys of another home") as refused:
            use()
        assert f"give {tmp_path / 'uy'} a folder of its own with --keys" in refused.value.message
        assert str(keys / HOME_ID) in refused.value.message

    assert not (tmp_path / "uy").exists()
    assert sorted(keys.rglob("*")) == before
    assert ensure_keys(tmp_path / "uh", keys, NOW) == keys


def test_keys_whose_home_is_gone_are_given_to_another_as_the_refusal_says(tmp_path: Path) -> None:
    keys = ensure_keys(tmp_path / "uh", tmp_path / "uk", NOW)
    shutil.rmtree(tmp_path / "uh")
    (keys / HOME_ID).unlink()

    ensure_keys(tmp_path / "uy", keys, NOW)

    assert (keys / HOME_ID).read_text() == (tmp_path / "uy" / HOME_ID).read_text()


def test_a_home_that_was_deleted_and_is_made_anew_in_its_place_has_its_keys_again(tmp_path: Path) -> None:
    home = tmp_path / "home"
    keys = ensure_keys(home, None, NOW)
    shutil.rmtree(home)

    assert ensure_keys(home, None, NOW) == keys
    assert (home / HOME_ID).read_text() == (keys / HOME_ID).read_text()
    with pytest.raises(HomeError, match="the keys of another home"):
        ensure_keys(tmp_path / "other", keys, NOW)


@pytest.mark.parametrize("inside", ["", "uk"])
def test_a_folder_that_cannot_hold_keys_is_refused_with_the_cure_and_another_may_be_given(
    tmp_path: Path, inside: str
) -> None:
    file = tmp_path / "file"
    file.write_text("no folder")
    file.chmod(0o644)

    with pytest.raises(HomeError, match="another folder with --keys") as refused:
        ensure_keys(tmp_path / "uh", file / inside, NOW)

    assert refused.value.message.startswith(f"{file / inside} cannot hold the keys (Not a directory)")
    assert file.stat().st_mode & 0o777 == 0o644
    assert ensure_keys(tmp_path / "uh", tmp_path / "uk", NOW) == tmp_path / "uk"


def test_a_moved_home_fits_its_keys_as_before(tmp_path: Path) -> None:
    keys = ensure_keys(tmp_path / "uh", tmp_path / "uk", NOW)
    (tmp_path / "uh").rename(tmp_path / "moved")

    assert ensure_keys(tmp_path / "moved", None, NOW) == keys


def test_a_home_and_keys_without_the_mark_go_on_and_get_it(tmp_path: Path) -> None:
    home, keys = tmp_path / "uh", ensure_keys(tmp_path / "uh", tmp_path / "uk", NOW)
    for folder in (home, keys):
        (folder / HOME_ID).unlink()

    ensure_keys(home, None, NOW)

    with pytest.raises(HomeError, match="another home"):
        keys_of(tmp_path / "uy", keys)


@pytest.mark.parametrize("point", ["keys.file.synced", "keys.file.renamed"])
def test_a_start_that_was_killed_over_the_mark_is_finished_by_the_next(tmp_path: Path, point: str) -> None:
    home, keys = tmp_path / "uh", tmp_path / "uk"
    program = (
        "from datetime import UTC, datetime; from pathlib import Path; "
        "from gateway.keys.home_keys import ensure_keys; "
        f"ensure_keys(Path({str(home)!r}), Path({str(keys)!r}), datetime.now(UTC))"
    )
    environment = {**os.environ, "WEIR_CRASH_AT": point}

    killed = subprocess.run([sys.executable, "-c", program], env=environment, check=False)

    assert killed.returncode == -signal.SIGKILL
    assert not (keys / HOME_ID).exists()
    ensure_keys(home, keys, NOW)
    assert (keys / HOME_ID).read_text() == (home / HOME_ID).read_text()
