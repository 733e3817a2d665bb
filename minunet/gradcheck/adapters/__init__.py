"""Pairs from anywhere: each file turns one kind of layer into the (forward, backward, args) that gradcheck takes.

A function that returns its value and its gradient together, as losses in courses do, needs no adapter: its gradient
is the cache.

    gradcheck(softmax_loss, lambda dloss, dscores: dloss * dscores, (scores, labels))

A function that writes running averages into a dict that it is given must be given a new one in each pass.

    gradcheck(lambda x, gamma, beta: batchnorm_forward(x, gamma, beta, {"mode": "train"}), batchnorm_backward, args)
"""
