"""What was spent and earned, and what is left."""

from __future__ import annotations

from analytics_core.dal.ledger import LedgerRepository
from analytics_core.model.results import CreditStats
from analytics_core.model.scope import Scope
from analytics_core.model.vocabulary import Category, TransactionKind
from analytics_core.services.partition import by_day, closed_partition, per_day
from analytics_core.services.window import Window


def credit_stats(repository: LedgerRepository, scope: Scope, window: Window) -> CreditStats:
    tallies = repository.tallies(scope, window.dates)
    debits = [tally for tally in tallies if tally.kind == TransactionKind.DEBIT]
    credits_ = [tally for tally in tallies if tally.kind == TransactionKind.CREDIT]
    spent = sum(tally.amount for tally in debits if tally.day)
    earned = sum(tally.amount for tally in credits_ if tally.day)
    in_range = ((tally.category, tally.amount) for tally in (*debits, *credits_) if tally.day)
    return CreditStats(
        spent=spent,
        earned=earned,
        net=earned - spent,
        by_category=closed_partition(in_range, Category),
        average_per_day=per_day(spent, window.days),
        balance=sum(tally.amount for tally in credits_) - sum(tally.amount for tally in debits),
        spent_by_day=by_day(window.days, ((tally.day, tally.amount) for tally in debits)),
        earned_by_day=by_day(window.days, ((tally.day, tally.amount) for tally in credits_)),
    )
