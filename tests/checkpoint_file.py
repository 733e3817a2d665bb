"""A checkpoint as a file of somebody else could be: what it says about itself, changed."""

import json

import numpy as np


def rewrite(path, change):
    """Change what a checkpoint says about itself: ``change(about)`` gets its JSON as a dict."""
    with np.load(path) as archive:
        arrays = dict(archive)
    about = json.loads(str(arrays["about"]))
    change(about)
    np.savez(path, **{**arrays, "about": np.array(json.dumps(about))})
