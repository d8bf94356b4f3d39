"""The payment life cycle: intents, attempts, decisions that arrive, debts to the network, and reviews."""
