"""TensorBoard with the Filters tab in front."""

import os
import re
import sys
import threading
import types
import webbrowser
from collections.abc import Sequence

from tb_filterviz.errors import ConfigError, LogDirError
from tb_filterviz.metadata import PLUGIN_NAME


def tab_address(address: str) -> str:
    """Tell where the tab is, within a TensorBoard at `address`."""
    return f"{address}#{PLUGIN_NAME}"


def _read_without_tensorflow() -> None:
    """Let TensorBoard read remote logs by itself: through TensorFlow, it knows hardly any service."""
    sys.modules.setdefault("tensorboard.compat.notf", types.ModuleType("tensorboard.compat.notf"))
    if "AWS_ENDPOINT_URL" in os.environ:
        os.environ.setdefault("S3_ENDPOINT", os.environ["AWS_ENDPOINT_URL"])


def serve(log_dir: str, options: Sequence[str], *, open_browser: bool = False) -> int:
    """Serve `log_dir` until interrupted.

    Args:
        log_dir: as ``tensorboard --logdir``, a folder or an address such as ``s3://bucket/logs``.
        options: further ones of TensorBoard's.
        open_browser: show the tab at once.

    Returns:
        0, once interrupted.

    Raises:
        ConfigError: if TensorBoard does not take the options.
        LogDirError: if it cannot serve.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # what native code says of CPUs is not for our users
    if re.match(r"(?!gs:)[A-Za-z][A-Za-z0-9+.-]+://", log_dir):
        _read_without_tensorflow()
    from tensorboard import default, program
    from tensorboard.plugins import base_plugin

    server = program.TensorBoard(default.get_plugins())
    try:
        server.configure(argv=["tensorboard", "--logdir", log_dir, *options])
        address = tab_address(server.launch())
    except base_plugin.FlagsError as error:
        raise ConfigError(str(error)) from error
    except program.TensorBoardServerException as error:
        raise LogDirError(error.msg) from error
    try:
        print(f"Filters: {address}   (Ctrl+C ends)", flush=True)
        if open_browser:
            webbrowser.open(address)
        threading.Event().wait()
    except KeyboardInterrupt:
        print()
    return 0
