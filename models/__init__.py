"""Neural networks: architectures, bundles, training and evaluation.

Beside worker, the only room that may import Keras.
"""
