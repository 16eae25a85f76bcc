"""What people ask of the ledger; nothing here writes."""
