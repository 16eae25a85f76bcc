"""The ledger: what came in, what was decided, who was told. The one place with SQL.

tables       records (append-only) and work tables
opening      engine, lock, migrations
recorder     records of one transaction and their link of the hash chain
facts        the intake's side: look up, record, release
suspects     notes of what may kill the router
deliveries   the relay's side: settle, claim
inventory    hubs and registrations
asking       what operators ask
actions      what operators do
"""
