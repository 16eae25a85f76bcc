"""RabbitMQ at both ends: facts from a queue, Alerts to exchanges."""
