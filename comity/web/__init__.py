"""What the three faces share: the application base, problems, words in two languages, QR codes, live updates."""
