"""The operators' language: rules as they are written, and what can be told without running them."""
