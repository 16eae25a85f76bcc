"""The status page: what a router is at, and the story of a hub, to be read in a browser.

Everything is made on the server, on every request anew; there is no script and nothing to change.
"""
