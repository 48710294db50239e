"""Engines that turn segments of speech into text."""
