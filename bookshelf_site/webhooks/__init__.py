"""Webhooks: other programs are told what happens in the shop, by Standard Webhooks 1.0."""
