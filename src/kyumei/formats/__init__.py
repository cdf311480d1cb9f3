"""The shelf of formats: bytes to rows; a module is a table."""
