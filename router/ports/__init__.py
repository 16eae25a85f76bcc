"""The contracts of sources and delivery adapters."""
