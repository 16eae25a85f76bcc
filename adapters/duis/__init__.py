"""Alerts in DUIS: the signed XML that Service Users' software takes for the DCC's own."""
