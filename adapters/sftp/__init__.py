"""Alerts as files on somebody else's SFTP server."""
