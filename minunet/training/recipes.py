"""Recipes: settings that belong together, by name. They differ from the defaults in `config.py`.

quick   The defaults: trains in minutes on two cores. What they choose was found by experiment: see
        benchmarks/README.md.

        Adam                                         after as many steps, a seventh fewer pixels are wrong than with
                                                     momentum
        batches of two tiles, Adam's rate 0.002      with batch normalisation, on stained tissue a sixth fewer pixels
                                                     are wrong than with single tiles at 0.001

paper   What the paper says, and where it is silent, a choice:

        64 base channels, depth 4, tile 572          Fig. 1
        batch of one tile, momentum 0.99             section 3
        plain He weights, no batch normalisation     section 3
        weight map, w0 = 10, sigma = 5               eq. 2
        elastic deformation, rotation, shift, grey   section 3.1
        dropout at the end of the contracting path   section 3.1; the rate, 0.5, is the authors' release's
        learning rate 0.001                          not said. At momentum 0.99 each gradient counts 100-fold in the
                                                     end, so this moves the weights as far as 0.01 does at momentum 0.9
        10,000 steps, half a cosine down to 0        not said. 400 times through 25 images; hours on a CPU, minutes on
                                                     a GPU
"""

RECIPES = {
    "quick": {},
    "paper": {
        "base_channels": 64,
        "depth": 4,
        "tile": 572,
        "batch": 1,
        "optimiser": "sgd",
        "momentum": 0.99,
        "init": "he",
        "norm": "none",
        "weights": "map",
        "correction": "none",
        "augmentation": "elastic",
        "dropout_rate": 0.5,
        "learning_rate": 0.001,
        "steps": 10_000,
    },
}
