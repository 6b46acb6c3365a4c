"""The demo's front door: one page that explains, links the three faces and lets visitors play by hand."""
