"""The world outside Weir: shoppers and fraudsters, the acquirer network with its issuers, a local broker."""
