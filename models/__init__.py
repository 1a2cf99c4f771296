"""Cameras: capture, inference, tracking, zones; and the model bundles themselves."""
