"""What databases write and tell of themselves when they refuse or delay. Pure."""
