"""What is read from files once and kept for everybody: a test that changes it breaks others, in some orders only."""

from collections.abc import Mapping

import schemas


def changed() -> list[str]:
    """Return which of the kept documents is no longer what its file says."""
    readers = {"type": schemas.type_metadata, "schema": schemas.type_schema, "context": schemas.type_context}
    kept: Mapping[str, tuple[object, object]] = {
        f"{slug}/{version}/{kind}": (read(slug, version), read.__wrapped__(slug, version))
        for slug, version in schemas.all_types()
        for kind, read in readers.items()
    }
    return [name for name, (here, in_file) in kept.items() if here != in_file]
