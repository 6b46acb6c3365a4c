"""The commands that are not one service's own: each loads what it needs when it runs."""
