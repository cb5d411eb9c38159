"""Import of networks that others published, as Keras wrote them, into bundles.

A model file is read as data: its layers are compared with our architectures', its weights are plain
arrays. Nothing in it is executed, and no loader of Keras sees it.
"""

from models.legacy.any_network import import_network
from models.legacy.keras_file import import_keras
from models.legacy.published import import_published

__all__ = ["import_keras", "import_network", "import_published"]
