"""Messages, the ledger of what should run, the agent that makes it so, events, and the command line."""
