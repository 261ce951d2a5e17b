"""What helps where a file's model cannot be built, in words."""

import re

import keras

from tb_filterviz.checkpoints.allowed import Refusal
from tb_filterviz.checkpoints.weights import advice_if_wrapped

OWN_FACTORY = "Build it in Python, and say --model package.module:factory."
WITH_THIS_FILE = (
    "Build it in Python, and say --model package.module:factory (model=... in Python), with the same file for its "
    "weights."
)
IF_TRUSTED = "If you trust whoever made the file, --unsafe (unsafe=True in Python) builds it all the same."

_REGISTER = (
    f"If it is yours, register it in Python before (keras.saving.register_keras_serializable). Or b{WITH_THIS_FILE[1:]}"
)
_FUNCTIONS = ("TFOpLambda", "SlicingOpLambda", "ClassMethod", "InstanceMethod", "InstanceProperty")  # of Keras 2
_WAYS = {"unsafe": IF_TRUSTED, "register": _REGISTER, "": "It is damaged or hostile."}


def advice_if_refused(refusal: Refusal) -> str:
    """Say what is refused, and who can do what about it."""
    if wrapped := advice_if_wrapped(refusal.what):
        return wrapped
    if function := _function_of_keras_2(refusal.what):
        return function
    without = " without --unsafe" if refusal.way == "unsafe" else ""
    return f"{refusal.where} {refusal.what}{without}. {_WAYS[refusal.way]}"


def advice(error: Exception, written_by: str | None) -> str:
    """Say what Keras stumbled over, and what helps.

    Args:
        error: what Keras raised.
        written_by: which Keras wrote the configuration, if that is known.
    """
    lines = str(error).strip().splitlines() or [type(error).__name__]
    text = next((line for line in reversed(lines) if line.startswith("Exception encountered")), lines[0])
    if wrapped := advice_if_wrapped(str(error)):
        return wrapped
    return _function_of_keras_2(str(error)) or f"{_shortened(text)} {_ways_on(written_by)}"


def _function_of_keras_2(text: str) -> str | None:
    found = re.search(rf"\b({'|'.join(_FUNCTIONS)})\b", text)
    return (
        f"It calls functions of TensorFlow in place of layers ({found[1]}), which Keras 3 cannot. {OWN_FACTORY}"
        if found
        else None
    )


def _ways_on(written_by: str | None) -> str:
    if written_by is None:
        return OWN_FACTORY
    if written_by == keras.__version__:
        return WITH_THIS_FILE
    return (
        f"Keras {written_by} wrote it, and this is Keras {keras.__version__}: load it with Keras {written_by}, or the "
        f"latest that still can, and save it again. Or b{WITH_THIS_FILE[1:]}"
    )


def _shortened(text: str) -> str:
    text = re.split(r"\s*[\w ]*(?:config|kwargs|arguments)\w*\W*\{", text.removeprefix("Exception encountered: "))[0]
    return (text if len(text) <= 300 else f"{text[:300]} ...").rstrip(".") + "."
