"""The `fit` that calls a callback: whether it goes on, and what comes after all of its other callbacks."""

import inspect
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any, Protocol

import keras

_BETWEEN_LOOKS_S = 0.5


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Fit:
    """The `fit` that a callback serves.

    Attributes:
        frame: of its call; None if something else calls the callback.
        callbacks: its list of callbacks; None likewise.
    """

    frame: FrameType | None
    callbacks: keras.callbacks.CallbackList | None


class Finishing(Protocol):
    """A callback that has something to do after all others."""

    def after_epoch_of_all(self) -> None:
        """Do it at an epoch's end."""

    def finish(self) -> None:
        """Do it at the training's end."""


class AfterOthers(keras.callbacks.Callback):
    """Stands last among the callbacks of a `fit`, since others may change weights when it ends.

    Args:
        callback: which is called then.
    """

    def __init__(self, callback: Finishing) -> None:
        super().__init__()
        self._callback = weakref.ref(callback)

    @classmethod
    def joined(cls, callback: Finishing, callbacks: keras.callbacks.CallbackList | None) -> "AfterOthers | None":
        """Put one at the end of the callbacks; None if there is no list of them."""
        if callbacks is None:
            return None
        callbacks.callbacks[:] = [each for each in callbacks.callbacks if not _is_of(each, callback)]
        last = cls(callback)
        callbacks.callbacks.append(last)
        return last

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002  Keras gives it
        """Let it do what comes after an epoch."""
        callback = self._callback()
        if callback is not None:
            callback.after_epoch_of_all()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Let it finish."""
        callback = self._callback()
        if callback is not None:
            callback.finish()


def may_change_weights(fit: Fit, model: keras.Model) -> bool:
    """Tell whether weights may change when `fit` ends: best ones restored, or averages put in their place."""
    others = fit.callbacks.callbacks if fit.callbacks is not None else ()
    changes = any(
        getattr(each, "restore_best_weights", False) or isinstance(each, keras.callbacks.SwapEMAWeights)
        for each in others
    )
    return changes or bool(getattr(getattr(model, "optimizer", None), "use_ema", False))


def _is_of(each: object, callback: Finishing) -> bool:
    return isinstance(each, AfterOthers) and each._callback() is callback


def current_fit() -> Fit:
    """Find the `fit` that calls a callback, or what else calls it, from within the callback."""
    callbacks = None
    for frame in _frames(sys._getframe(1)):
        if _is_of_callback_list(frame):
            callbacks = frame.f_locals.get("self")
        elif callbacks is not None:
            return Fit(frame, callbacks)
    return Fit(None, None)


def goes_on(fit_of_callback: "weakref.ref[Fit]") -> bool:
    """Tell whether a callback's `fit` goes on: Keras tells no callback that an exception ended it.

    The reference is weak, since whoever holds the frame of `fit` holds its model and data as well.
    """
    fit = fit_of_callback()
    return fit is not None and (fit.frame is None or _is_running(fit.frame))


def watch(fit: Fit, act: Callable[[], object]) -> Callable[[], None]:
    """Call a method once a `fit` has ended without a word, in a thread of its own.

    Args:
        fit: which is looked at twice a second; nothing else could tell, as a notebook keeps the frames of an exception.
        act: a bound method; neither its object nor the `fit` is kept alive.

    Returns:
        What ends the watch.
    """
    is_over = threading.Event()
    if fit.frame is not None:
        arguments = (weakref.ref(fit), weakref.WeakMethod(act), is_over)
        threading.Thread(target=_wait, args=arguments, name="tb_filterviz watch", daemon=True).start()
    return is_over.set


def _wait(fit: "weakref.ref[Fit]", act: "weakref.WeakMethod[Callable[[], object]]", is_over: threading.Event) -> None:
    while not is_over.wait(_BETWEEN_LOOKS_S):
        if not goes_on(fit):
            method = act()
            if method is not None:
                method()
            return


def _frames(innermost: FrameType) -> Iterator[FrameType]:
    frame: FrameType | None = innermost
    while frame is not None:
        yield frame
        frame = frame.f_back


def _is_of_callback_list(frame: FrameType) -> bool:
    return frame.f_code.co_filename == inspect.getfile(keras.callbacks.CallbackList)


def _is_running(frame: FrameType) -> bool:
    """Tell whether a frame is on the stack of any thread."""
    return any(each is frame for top in sys._current_frames().values() for each in _frames(top))
