"""What a lane sends next and what an answer means: pure."""
