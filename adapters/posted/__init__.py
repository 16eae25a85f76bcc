"""Facts that are POSTed to us as CloudEvents, answered once they are committed."""
