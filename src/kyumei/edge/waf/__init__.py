"""Web ACLs and their log: what a rule matched, why, and the narrowest way to let a request through. Pure."""
