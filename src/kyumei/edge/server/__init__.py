"""What web servers, application servers and applications write when they fail. Pure."""
