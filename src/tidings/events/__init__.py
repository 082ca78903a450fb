"""What happens: status changes come in, are checked once and kept."""
