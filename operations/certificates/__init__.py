"""Certificates that operations make and renew."""
