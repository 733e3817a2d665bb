"""Training: the configuration, the recipes, the optimisers, the steps, and the run folder they leave behind."""
