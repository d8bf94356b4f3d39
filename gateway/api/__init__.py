"""The HTTP API: listeners, reading and answering. Everything a payment needs is in `gateway` itself."""
