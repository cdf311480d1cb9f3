"""What functions say of their invocations, and what changed on them. Pure."""
