"""`minunet bench`: how long layers and a training step take, and what the machine could do at best."""
