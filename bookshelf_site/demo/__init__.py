"""The story that `manage.py demo` plays, and the shop that `make run` opens."""
