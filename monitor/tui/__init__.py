"""The dashboard: reads the ledger, owns nothing. Only this package imports textual."""
