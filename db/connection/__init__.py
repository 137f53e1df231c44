"""Addresses, engines, transactions and driver errors; no table is known here."""
