"""Bookshelf: the back office of an independent bookshop."""
