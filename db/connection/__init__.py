"""Addresses, engines, transactions and drivers' errors: no table is known here."""
