"""From the ledger through lanes and adapters to Service Users."""
