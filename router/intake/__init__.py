"""From a source into the ledger."""
