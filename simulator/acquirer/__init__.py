"""The acquirer network and its issuers: a world of its own that speaks ISO 8583 and knows nothing of Weir."""
