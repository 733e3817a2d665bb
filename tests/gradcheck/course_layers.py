"""Layer objects in the styles of courses and books: each right once, and wrong in the ways that students write."""

import numpy as np


class Affine:
    """Parameters and gradients are attributes."""

    def __init__(self, rng):
        self.W, self.b = rng.standard_normal((4, 3)), rng.standard_normal(3)
        self.dW = self.db = None

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dy):
        self.dW, self.db = self.x.T @ dy, dy.sum(0)
        return dy @ self.W.T


class AffineWithoutBiasGradient(Affine):
    def backward(self, dy):
        self.dW = self.x.T @ dy
        return dy @ self.W.T


class AffineWithMeanForSum(Affine):
    def backward(self, dy):
        dx = super().backward(dy)
        self.db = dy.mean(0)
        return dx


class Relu:
    """No parameters; the mask is the cache."""

    def forward(self, x):
        self.mask = x > 0
        return x * self.mask

    def backward(self, dy):
        return dy * self.mask


class ReluThatWritesIntoDy(Relu):
    def backward(self, dy):
        dy[~self.mask] = 0
        return dy


class ListsOfArrays:
    """Parameters and gradients are lists; the gradients are written into arrays that are there from the start."""

    def __init__(self, rng):
        W = rng.standard_normal((4, 3)).astype(np.float32)
        self.params, self.grads = [W], [np.ones_like(W)]

    def forward(self, x):
        (W,) = self.params
        self.x = x
        return np.tanh(x @ W)

    def backward(self, dy):
        (W,) = self.params
        dz = dy * (1 - np.tanh(self.x @ W) ** 2)
        self.grads[0][...] = self.x.T @ dz
        return dz @ W.T


class ListsOfArraysWithTransposedInput(ListsOfArrays):
    def backward(self, dy):
        dx = super().backward(dy)
        self.grads[0][...] = self.grads[0][::-1]
        return dx


class Dictionaries:
    """Parameters and gradients are dicts, the gradients add up, and the inputs are kept in a list until a flush."""

    def __init__(self, rng):
        self.parameters = {"W": rng.standard_normal((4, 3)), "b": rng.standard_normal((1, 3))}
        self.gradients = {name: np.zeros_like(value) for name, value in self.parameters.items()}
        self.inputs = []

    def flush_gradients(self):
        self.inputs = []
        for gradient in self.gradients.values():
            gradient[...] = 0

    def forward(self, x, keep=True):
        if keep:
            self.inputs.append(x)
        return x @ self.parameters["W"] + self.parameters["b"]

    def backward(self, dy, keep_gradients=True):
        (x,) = self.inputs
        self.gradients["W"] += x.T @ dy
        self.gradients["b"] += dy.sum(0, keepdims=True)
        return dy @ self.parameters["W"].T


class DictionariesWithHalfTheInputGradient(Dictionaries):
    def backward(self, dy, keep_gradients=True):
        return 0.5 * super().backward(dy)


class UpdatesItself:
    """The backward pass takes the learning rate, and the step."""

    def __init__(self, rng):
        self.weights, self.bias = rng.standard_normal((4, 3)), rng.standard_normal((1, 3))

    def forward(self, x):
        self.x = x
        return x @ self.weights + self.bias

    def backward(self, dy, learning_rate):
        dx = dy @ self.weights.T
        self.weights -= learning_rate * (self.x.T @ dy)
        self.bias = self.bias - learning_rate * dy.sum(0, keepdims=True)
        return dx


class UpdatesItselfTooEarly(UpdatesItself):
    def backward(self, dy, learning_rate):
        super().backward(dy, learning_rate)
        return dy @ self.weights.T  # the new ones


class LeavesEverything:
    """Neither pass returns anything."""

    def __init__(self, rng):
        self.weights = rng.standard_normal((4, 3))

    def forward(self, inputs):
        self.inputs, self.output = inputs, inputs @ self.weights

    def backward(self, dvalues):
        self.dweights, self.dinputs = self.inputs.T @ dvalues, dvalues @ self.weights.T


class LeavesTooLittle(LeavesEverything):
    def backward(self, dvalues):
        super().backward(dvalues)
        self.dinputs[0] = 0


class Parameter:
    def __init__(self, value):
        self.value, self.grad = value, np.ones_like(value)  # left from an earlier step


class WithParameterObjects:
    """Parameters are objects with a value and a gradient; a method lists them."""

    def __init__(self, rng):
        self.scale = Parameter(rng.standard_normal(4))

    def params(self):
        return {"scale": self.scale}

    def forward(self, x):
        self.x = x
        return x * self.scale.value

    def backward(self, dy):
        self.scale.grad += (dy * self.x).sum(0)
        return dy * self.scale.value


class ReturnsAllGradients(Affine):
    def backward(self, dy):
        dx = super().backward(dy)
        return dx, self.dW, self.db


class ReturnsAllGradientsInTheWrongOrder(Affine):
    def backward(self, dy):
        dx = super().backward(dy)
        return dx, self.db, self.dW


class Network:
    """Layers within a layer; the dict of all parameters refers to the arrays that the layers use."""

    def __init__(self, rng):
        self.layers = [Affine(rng), Relu()]
        self.params = {"W1": self.layers[0].W, "b1": self.layers[0].b}
        self.grads = {}

    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, dy):
        for layer in reversed(self.layers):
            dy = layer.backward(dy)
        self.grads = {"W1": self.layers[0].dW, "b1": self.layers[0].db}
        return dy


class NetworkThatForgetsToReverse(Network):
    def backward(self, dy):
        self.layers[0].backward(dy)
        return dy @ self.params["W1"].T


class SoftmaxLoss:
    """A loss: the labels are no numbers to differentiate, and dy is optional."""

    def forward(self, scores, labels):
        p = np.exp(scores - scores.max(1, keepdims=True))
        self.p, self.labels = p / p.sum(1, keepdims=True), labels
        return -np.log(self.p[np.arange(len(labels)), labels]).mean()

    def backward(self, dy=1.0):
        dscores = self.p.copy()
        dscores[np.arange(len(self.labels)), self.labels] -= 1
        return dy * dscores / len(self.labels)


class SoftmaxLossWithoutMean(SoftmaxLoss):
    def backward(self, dy=1.0):
        return super().backward(dy) * len(self.labels)
