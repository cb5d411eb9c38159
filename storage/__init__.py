"""The record: MongoDB repositories and the blob store.

What the API and the command line need to know of model versions (stages, cards, thresholds) is here too,
so that they never load a neural network library.
"""
