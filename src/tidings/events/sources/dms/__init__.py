"""Alibaba Cloud DMS: its custom webhook."""
