"""The life of a session: who is there, what starts and ends by itself, and when it is over."""
