"""The shelf of rules: a module is one cause, or one closely knit family of causes."""
