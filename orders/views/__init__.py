"""The customer's doors: the page of an order, calling it off, and finding a lost link."""
