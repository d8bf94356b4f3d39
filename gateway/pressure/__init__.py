"""What is let in: no more than can be done in good time, fairly by merchant; the rest is refused at once."""
