"""`minunet bench`: what the layers and a training step take, and what the machine could do at best."""
