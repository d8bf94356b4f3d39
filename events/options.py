"""Options that commands of several folders have in common."""

from pathlib import Path
from typing import Annotated

import typer

HOME = Path(".weir/home")

Home = Annotated[Path, typer.Option("--home", help="Home of `weir up` or `weir demo`.")]
GivenLog = Annotated[
    str | None,
    typer.Option(
        "--log",
        help="sqlite, sqlite:///PATH, kafka or kafka://HOST:PORT (several with commas, then /PREFIX).",
        show_default="the one that the home was last run on",
    ),
]
