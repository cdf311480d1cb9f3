"""What CloudFront says of a request: result types, origins and distributions. Pure."""
