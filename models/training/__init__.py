"""Training: data in memory, augmentation, the loop with its checkpoints.

Evaluation lives in models.evaluation, the files in models.bundle.
"""
