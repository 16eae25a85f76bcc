"""The core of Hubherald: facts in, decisions, Alerts out. ARCHITECTURE.md shows the way."""
