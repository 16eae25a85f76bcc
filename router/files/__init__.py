"""Files that people write: read with their lines, and what is wrong in words of theirs."""
