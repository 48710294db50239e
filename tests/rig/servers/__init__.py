"""Real servers for tests: each on a free port of 127.0.0.1, in its own folder, killed and started again at will."""
