"""How well a network separates its classes: figures, intervals, comparisons and plots.

Scores and truths in, numbers and pictures out; importing it loads no neural network library.
Training lives in models.training, the files of a network in models.bundle.
"""

from models.evaluation.against import changes, lines_of
from models.evaluation.comparison import compare
from models.evaluation.examination import examine
from models.evaluation.figures import PEAK_BINS, Scores, area_under_roc, figures
from models.evaluation.report import all_figures, evaluate_bundle, evaluate_images
from models.evaluation.scoring import score_images

__all__ = [
    "PEAK_BINS",
    "Scores",
    "all_figures",
    "area_under_roc",
    "changes",
    "compare",
    "evaluate_bundle",
    "evaluate_images",
    "examine",
    "figures",
    "lines_of",
    "score_images",
]
