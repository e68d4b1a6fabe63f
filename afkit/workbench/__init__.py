"""Around an experiment: data sets, own recordings, analysis, pictures, run folders, sweeps, commands.

The core knows nothing of it.
"""
