"""What flows through Weir: event types, their codec, topics, money, and the log that carries them.

Everything imports this package; it imports nothing of Weir.
"""
