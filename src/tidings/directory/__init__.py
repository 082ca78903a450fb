"""Who exists: contact points, resources, and how a role becomes people."""
