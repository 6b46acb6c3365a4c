"""The main job, played with a fictional cast over real HTTP on this machine.

Nothing here is imported by a service, and no service knows that it takes part in a demo: the demo writes ordinary
settings, starts ordinary processes and calls public endpoints.
"""
