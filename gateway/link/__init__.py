"""How the gateway's two programs ask each other: calls over mutual TLS, many at once on a connection."""
