"""The I/O shell: clocks, outbound HTTP, databases, settings, key files, caches and logs.

Everything below this package is pure; everything above it reaches the outside only through it.
"""
