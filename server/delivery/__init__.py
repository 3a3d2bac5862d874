"""Events by HTTP, messages set aside, and agents that are there twice."""
