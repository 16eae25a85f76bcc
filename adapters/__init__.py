"""The outsides of Hubherald: where facts come from and where Alerts go."""
