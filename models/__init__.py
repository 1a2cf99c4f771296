"""Cameras: capture, inference, tracking, zones; and the model bundles themselves.

This module and what it imports stay free of numpy, OpenCV and onnxruntime: those live in the worker process only.
"""

from models.camera import CAMERA

__all__ = ["CAMERA"]
