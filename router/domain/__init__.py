"""What the field calls things: facts, hubs, registrations, Service Users."""
