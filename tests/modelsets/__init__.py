"""Tests of the cameras' models."""
