"""The service beside others that could do its work: each a program that is told to score the same files.

Contenders are set up as their own users would and know nothing of the service: they take from it the graphs
of its networks, the recipe of its pixels, and a MongoDB to write scores to.
"""
