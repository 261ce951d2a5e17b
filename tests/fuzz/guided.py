"""One target under libFuzzer, which is told of every branch of the package that an input takes.

`python -m tests.fuzz.guided PROGRAM TARGET [options of libFuzzer]`, where PROGRAM is what libFuzzer is to start, with
options alone, if it wants a process of its own. `python -m tests.fuzz` makes one.
"""

import os
import sys
import warnings

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import atheris

with atheris.instrument_imports(include=["tb_filterviz"]):
    from tests.fuzz.targets import TARGETS

if __name__ == "__main__":
    warnings.simplefilter("error")
    program, name, *options = sys.argv[1:]
    atheris.Setup([program, *options], TARGETS[name])
    atheris.Fuzz()
