"""Listening tests: what is asked, shown and in which order, and what the answers say."""
