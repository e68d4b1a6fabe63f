"""From labels and recordings to a recipe in one command; each step is a command of its own, too."""
