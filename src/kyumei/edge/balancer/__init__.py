"""What Application and Classic Load Balancers, and the AWS services around their targets, say of a request. Pure."""
