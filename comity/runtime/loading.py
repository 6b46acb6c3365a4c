"""Loading many modules at once, without the garbage collector looking through all of them again and again.

What modules define lives as long as the process. While a service is loaded, Python would walk through it some dozens of
times in search of garbage, which takes a quarter of the time of a start (``benchmarks/floor.md``), and again at each
full collection afterwards.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """Load what is loaded within without collecting garbage; what is there at the end is never looked through again.

    To be used once or twice at the start of a process: garbage in a circle that is made within is never freed.
    """
    was_collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_collecting:
            gc.enable()
