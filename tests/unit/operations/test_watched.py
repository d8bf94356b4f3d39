"""Programs are told where to show their figures, and the home remembers it."""

from pathlib import Path

from operations import addresses, settings
from operations.processes import Program
from operations.watched import Watched, forget, targets


def watched(home: Path, **asked: object) -> Watched:
    home.mkdir()
    wanted = settings.from_options(home, None, "127.0.0.1", 0, "sqlite", 250, **asked)  # type: ignore[arg-type]  # of each option its own
    return Watched(wanted, addresses.choose("127.0.0.1", 0))


def test_each_program_gets_a_port_of_its_own_and_the_home_remembers_them(tmp_path: Path) -> None:
    watching = watched(tmp_path / "home")

    told = watching.told([Program("gateway.api", ()), Program("gateway.api", (), number=2)])
    told += watching.told([Program("pipelines.risk", ("--home", "x"))])
    watching.remember()

    ports = [program.arguments[program.arguments.index("--metrics-port") + 1] for program in told]
    assert len(set(ports)) == 3
    assert told[2].arguments[:2] == ("--home", "x")
    assert [(target.program, target.address) for target in targets(tmp_path / "home")] == [
        ("gateway.api", f"127.0.0.1:{ports[0]}"),
        ("gateway.api-2", f"127.0.0.1:{ports[1]}"),
        ("pipelines.risk", f"127.0.0.1:{ports[2]}"),
    ]


def test_a_program_that_shows_nothing_is_left_as_it_is(tmp_path: Path) -> None:
    broker = Program("simulator.kafka.broker", ("--port", "0"))

    assert watched(tmp_path / "home").told([broker]) == [broker]


def test_spans_are_asked_for_only_where_somebody_takes_them(tmp_path: Path) -> None:
    programs = [Program("gateway.api", ()), Program("gateway.processor", ())]

    quiet = watched(tmp_path / "quiet").told(programs)
    api, processor = watched(tmp_path / "traced", traces="http://127.0.0.1:4318", trace_share=0.5).told(
        programs
    )

    assert all("--traces" not in program.arguments for program in (*quiet, processor))
    assert api.arguments[-4:] == ("--traces", "http://127.0.0.1:4318", "--trace-share", "0.5")


def test_a_home_where_nothing_runs_has_no_targets(tmp_path: Path) -> None:
    watching = watched(tmp_path / "home")
    watching.told([Program("gateway.api", ())])
    watching.remember()

    forget(tmp_path / "home")

    assert targets(tmp_path / "home") == []
    (tmp_path / "home" / "metrics.json").write_text("[{}]")
    assert targets(tmp_path / "home") == []
