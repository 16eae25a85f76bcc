"""Alerts by mail, for people and for mailboxes that programs read."""
