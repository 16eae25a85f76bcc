"""Tests of rules: what they give, what they expect, what they cover."""
