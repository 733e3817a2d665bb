import numpy as np

from minunet import max_pool_backward, max_pool_forward
from zoo.bug import Cage

x = np.random.default_rng(12).standard_normal((2, 3, 6, 4))
cage = Cage("max_pool", max_pool_forward, max_pool_backward, (x,))


@cage.bug("wrong", "x")
def all_four_get_the_gradient(dy, cache):
    return dy.repeat(2, axis=2).repeat(2, axis=3)


@cage.bug("wrong", "x")
def gradient_shared_as_in_average_pooling(dy, cache):
    return dy.repeat(2, axis=2).repeat(2, axis=3) / 4


@cage.bug("wrong", "x")
def winner_read_column_by_column(dy, cache):
    swapped = np.array([0, 2, 1, 3], np.uint8)[cache.winner]
    return max_pool_backward(dy, cache._replace(winner=swapped))


@cage.bug("wrong", "x")
def first_corner_always_wins(dy, cache):
    return max_pool_backward(dy, cache._replace(winner=np.zeros_like(cache.winner)))


@cage.bug("wrong", "x")
def last_row_left_out(dy, cache):
    dx = max_pool_backward(dy, cache)
    dx[:, :, -1] = 0
    return dx


@cage.bug("wrong", "x")
def winners_of_the_first_channel_for_all(dy, cache):
    winner = np.broadcast_to(cache.winner[:, :1], cache.winner.shape)
    return max_pool_backward(dy, cache._replace(winner=winner))


@cage.bug("shape", "x")
def gradient_not_brought_back_to_full_size(dy, cache):
    return dy.copy()
