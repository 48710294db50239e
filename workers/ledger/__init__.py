"""The ledger: the truth about what should run, what runs, what was produced and what was told."""
