"""Alibaba Cloud DataWorks: its OpenEvent messages, by EventBridge."""
