"""Attempts to get at what is somebody else's, against a running server."""
