"""Exact inputs of every component under a mock engine, and settings that are refused."""
