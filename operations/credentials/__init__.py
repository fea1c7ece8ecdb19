"""Passwords that operations make and change."""
