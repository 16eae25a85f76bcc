"""Alerts by HTTP POST, as CloudEvents, signed as Standard Webhooks."""

from adapters.webhook.delivery import WebhookAdapter

__all__ = ["WebhookAdapter"]
