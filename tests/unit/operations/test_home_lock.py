"""A home's lock."""

from pathlib import Path

import pytest

from operations.errors import HomeInUseError
from operations.home_lock import sole_supervisor


def test_a_second_supervisor_of_the_same_home_is_refused(tmp_path: Path) -> None:
    with (
        sole_supervisor(tmp_path),
        pytest.raises(HomeInUseError, match="stop it first"),
        sole_supervisor(tmp_path),
    ):
        pass


def test_the_lock_of_a_home_is_free_again_after_its_supervisor(tmp_path: Path) -> None:
    with sole_supervisor(tmp_path):
        pass

    with sole_supervisor(tmp_path):
        assert (tmp_path / "supervisor.lock").exists()
