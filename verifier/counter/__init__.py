"""The counter: pages for whoever asks, on a screen beside the till, and for those who build that into a site."""
