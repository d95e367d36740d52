"""The shop's letters: what customers and staff are written, how it is sent, and what came of it."""
