"""The wallet's HTTP surfaces."""
