"""Programs killed, and PostgreSQL, Redis and the broker away, under load; `make chaos` has more of it."""

from pathlib import Path

import pytest

from tests.chaos.places import place
from tests.chaos.running import endure
from tests.conftest import require_a_local_broker
from tests.e2e.platforms import weir

pytestmark = pytest.mark.timeout(900)

GAP_SECONDS_MAX = 45.0
"""Above what an overloaded machine needs; the gaps themselves are in `bench/results/chaos.json`."""

HERE = {
    ("postgresql", "sqlite"): ("kill -9 of gateway.api", "PostgreSQL crashes", "Redis is killed"),
    ("sqlite", "kafka"): ("the broker is killed",),
}
"""Store and log → what happens there."""


@pytest.mark.parametrize(
    ("store", "log"),
    [pytest.param(*where, marks=pytest.mark.kafka if "kafka" in where else ()) for where in HERE],
)
def test_payments_outlive_kills_and_servers_that_are_away(tmp_path: Path, store: str, log: str) -> None:
    if log == "kafka":
        require_a_local_broker()
    wanted = HERE[store, log]

    with place(tmp_path, store, log) as there:
        found = endure(there, lambda trouble: int(trouble.name.startswith(wanted)))
        risk_flow = (there.home / "logs" / "pipelines.risk.log").read_text()
        looked = weir("doctor", "--home", str(there.home), "--port", "0", seconds_max=60)
        listed = weir("api-keys", "list", "--home", str(there.home), seconds_max=60)

    assert found.faults == []
    assert log != "kafka" or "-- ended with" not in risk_flow, "it waits for a broker, and starts no new life"
    assert len(found.gaps) == len(wanted)
    assert max(gap.payments for gap in found.gaps) < GAP_SECONDS_MAX
    assert "has the newest schema" in looked.stdout, looked.stdout
    assert (listed.returncode, listed.stderr) == (0, "")
    assert (there.home / "gateway.sqlite").exists() == (store == "sqlite")
