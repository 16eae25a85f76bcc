"""What tests share: files, ledgers and lanes to begin with, and the servers that they talk to."""
