"""Mappings that come with the package; see ``agent.uplink.mapping``."""
