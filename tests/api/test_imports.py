"""What the API's process loads."""

import subprocess
import sys

from tests.api.server import ROOT


def test_the_api_loads_no_neural_network_library() -> None:
    program = "import api.main, sys; assert not {'tensorflow','keras','jax','torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=60)
