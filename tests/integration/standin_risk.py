"""The risk flow as a program of its own with the stand-in engine: what the recovery tests kill."""

import signal
import sys
import threading
from pathlib import Path

from events.clock import SystemClock
from events.log import open_log
from pipelines.risk_flow import Parts, run
from pipelines.risk_step import RiskStep
from tests.unit.pipelines.standin import CountingEngine


def main(home: Path, log_url: str, epoch_seconds: float) -> None:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())
    log = open_log(log_url)

    def ready() -> None:
        sys.stdout.write('{"ready": "standin"}\n')
        sys.stdout.flush()

    parts = Parts(log, home, SystemClock(), lambda: RiskStep(CountingEngine()), epoch_seconds=epoch_seconds)
    run(parts, stop, ready)
    log.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]))
