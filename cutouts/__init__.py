"""Bytes to pixels: names, decoding, recipes, sources and the simulator.

Nothing here knows a database, a queue or a neural network.
"""
