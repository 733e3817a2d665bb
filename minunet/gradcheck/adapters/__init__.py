"""Pairs from anywhere: each file turns one kind of layer into the (forward, backward, args) that gradcheck takes.

A function that returns its value and its gradient together, as losses in courses do, needs no adapter: its gradient
is the cache.

    gradcheck(softmax_loss, lambda dloss, dscores: dloss * dscores, (scores, labels))
"""
