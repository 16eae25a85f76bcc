"""Whether the ledger is what was recorded: `hubherald ledger verify`."""
