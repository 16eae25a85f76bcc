"""Who is to be told, by which rule: pure, but for the engine that asks the rules."""
