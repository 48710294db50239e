"""What operations sees of a worker: counters, health and readiness over HTTP, logs that name the call."""
