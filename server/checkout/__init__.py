"""What is paid: so far only that it is, told to the agents."""
