"""From people's labels to a frozen data set: what came, one label for each image, whole nights to a split.

Nothing here stores anything; `storage.datasets` does.
"""
