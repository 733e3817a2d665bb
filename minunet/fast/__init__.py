"""What makes it fast; nothing here is needed to understand a layer."""
