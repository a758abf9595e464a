"""Without PyTorch: the package imports, and says what is missing. These run where it is not installed, too."""

import subprocess
import sys

WITHOUT_TORCH = "import sys; sys.modules['torch'] = None\n"  # any import of it now fails


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_the_package_does_not_import_torch():
    assert run("import sys, classicseg as cs; cs.DenseCRF; print('torch' in sys.modules)").strip() == "False"


def test_the_layer_says_what_to_install():
    code = "try:\n    import classicseg.torch\nexcept ImportError as failure:\n    print(failure)"
    assert run(WITHOUT_TORCH + code).strip() == "classicseg.torch needs PyTorch: pip install torch"


def test_the_rest_works_without_torch():
    code = (
        "import numpy as np, classicseg as cs; print(cs.minimize(cs.DenseCRF(np.eye(2)[:, None], [])).labels.tolist())"
    )
    assert run(WITHOUT_TORCH + code).strip() == "[[1, 0]]"
