"""The main job on a small made-up estate, without any set-up.

Nothing here is pretended: the files, the inventory, the ledger and the router are those of an
installation, and the recipients are reached over HTTP, with signatures that they verify.
"""
