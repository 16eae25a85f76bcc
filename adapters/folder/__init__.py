"""Folders as both ends: facts from JSON-lines files, Alerts as one JSON file each."""

from adapters.folder.delivery import FolderAdapter
from adapters.folder.source import FolderSource

__all__ = ["FolderAdapter", "FolderSource"]
