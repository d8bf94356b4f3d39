"""What `weir up` and `weir demo` take where an option is not given: light, since every `--help` shows it."""

DEFAULT_PORT = 8400
DEFAULT_DEADLINE_MS = 250
DEFAULT_TRACE_SHARE = 0.05
"""As `events.tracing` has it: of 100 payments a second five."""
DEMO_DEADLINE_MS = 2_000
"""In a demo traffic and platform share a few cores: decisions may take longer than production would wait."""
DEMO_HORIZON_DAYS = 7.0
"""Else no payment of a demo's month would mature, and the model would know little but fraud."""
STATE_MEMORY_MB = 800
"""Of each risk flow, as `models.state.Bounds` has it."""
