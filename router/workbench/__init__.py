"""What operators try rules and files with; nothing is sent."""
