"""Rollups: what users with many rows have, added up in buckets of 15 minutes.

Days begin on a quarter of an hour in every zone since 1973, so buckets of that width make days in
any of them. Who has so many rows that adding them up is worth it is *rolled*, one noun at a time:
all their rows are in cells, except those of days that are marked. A mark is written by a trigger,
in the transaction that changes a row, and taken away by the refresh, in the transaction that
renews the day's cells. So a page that reads cells, and the rows of marked days, is always current.
"""
