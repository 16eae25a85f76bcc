"""The ledger: what came in, what was decided, who was told. The one place with SQL.

tables       records (append-only) and work tables
database     engine, lock, migrations; thread: where all of it runs
reader       the same to be read by the driver alone; driver: statements as text; backlog: of lanes
recorder     records of one transaction and their link of the hash chain
intake       the intake's side: look up, record, release; quarantine beside it
poison       notes of what may kill the router
deliveries   the relay's side: settle, claim; lanes beside it
inventory    hubs and registrations; imports of whole estates
documents    the rules and users that were live
actions      what operators do
queries/     what operators ask
"""
