"""Real servers for tests: each on a free port of 127.0.0.1, in a folder of its own, killed and started again at will."""
