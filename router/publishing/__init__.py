"""`hubherald publish` without its terminal: a file of facts, put where a source takes them from."""
