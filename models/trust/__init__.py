"""Whether a camera's pictures can be trusted: what is wrong with them, and what that does to the facts.

``faults`` is for both processes and free of numpy and OpenCV; the rest lives in the worker only.
"""
