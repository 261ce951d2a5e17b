"""Sinks for experiment trackers."""
