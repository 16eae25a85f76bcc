"""A ledger on a PostgreSQL server.

address   where it is, and how it is reached: TLS, password
server    the store: one connection, begun transactions, what its failures mean
turns     who writes now, and which router it is that holds the ledger
opening   a database on its way to be a ledger
said      what a server said, in one line
"""
