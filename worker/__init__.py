"""The process that holds the networks and scores shards.

Engines live here; what a score is made of (recipes, decoding) does not.
"""
