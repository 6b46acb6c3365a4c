"""Webhooks: an event is written down with what it tells of, and sent later, signed, until it is heard or given up.

``outbox`` stores, ``signature`` signs, ``delivery`` sends (decision record 0035). What is sent names records by their
ids and says nothing about a person.
"""
