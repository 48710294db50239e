"""Chromium, where something is to be seen that only a browser can draw."""
