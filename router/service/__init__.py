"""The running router, and what it shows."""
