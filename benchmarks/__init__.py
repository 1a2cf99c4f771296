"""Measurements that the project promises. ``make bench`` runs them all and writes ``build/bench.json``."""
