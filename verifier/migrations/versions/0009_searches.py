"""What the timer that erases read through: answers with a report, requests that ran out, checks that ended."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_WITH_REPORT, _UNANSWERED = sa.text("sealed_report IS NOT NULL"), sa.text("answered_at IS NULL")


def upgrade() -> None:
    """Create the indexes; what was erased, and what was answered, is not in the first two."""
    op.create_index(
        "requests_with_report",
        "requests",
        ["answered_at"],
        sqlite_where=_WITH_REPORT,
        postgresql_where=_WITH_REPORT,
    )
    op.create_index(
        "requests_unanswered", "requests", ["expires_at"], sqlite_where=_UNANSWERED, postgresql_where=_UNANSWERED
    )
    op.drop_index("requests_by_answer", "requests")  # of all that ever were answered; the first one takes its place
    op.create_index("counter_checks_by_end", "counter_checks", ["ended_at"])


def downgrade() -> None:
    """Drop them."""
    op.drop_index("counter_checks_by_end", "counter_checks")
    op.create_index("requests_by_answer", "requests", ["answered_at"])
    op.drop_index("requests_unanswered", "requests")
    op.drop_index("requests_with_report", "requests")
