"""What was decided, proved from what was recorded: stored vectors rescored, recorded orders replayed."""
