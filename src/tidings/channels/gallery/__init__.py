"""Every message in every shape: what people read, without anything being sent."""
