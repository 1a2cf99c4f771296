"""Fieldbus and network protocols, one each, behind the contract of ``agent.core.ports``."""
