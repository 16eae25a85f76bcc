"""What channels that POST to a Service User's server have in common."""
