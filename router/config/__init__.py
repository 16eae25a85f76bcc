"""The files of a router: read, checked, looked at again."""
