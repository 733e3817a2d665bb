"""The U-Net of Fig. 1: forward and backward, its sizes, its first weights, its summary."""
