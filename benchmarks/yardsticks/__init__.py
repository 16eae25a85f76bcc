"""What others do with the same work, each a program of its own, and what fetches them."""
