"""What API Gateway says of a request: its responses, steps and settings. Pure."""
