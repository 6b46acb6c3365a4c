"""Is this credential acceptable here, now, from this holder, and why?

Pure: no network, no clock, no files. What is needed from outside is asked for with :class:`Needs` and handed back as
evidence; ``comity.runtime.evidence`` is the shell that fetches.
"""
