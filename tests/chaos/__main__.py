"""`python -m tests.chaos --store STORE --log LOG`: troubles under load, and what they cost, as JSON."""

from tests.chaos.running import main

main()
