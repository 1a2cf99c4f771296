"""Trains the shipped bundle's networks. Its own environment (requirements.txt); never imported by the program."""
