"""What the outside is told: payloads, the relay that takes them out of the ledger, and the sinks they go to."""
