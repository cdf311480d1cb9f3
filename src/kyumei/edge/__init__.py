"""What the components at the edge say and are told: web ACLs, web servers' error lines. Pure."""
