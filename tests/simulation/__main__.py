"""`python -m tests.simulation SEED` plays one seed and prints its story; `--help` says how to play many."""

from tests.simulation.running import main

main()
