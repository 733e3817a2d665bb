"""The layers on a CPU: the work of one layer shared out among the cores."""
