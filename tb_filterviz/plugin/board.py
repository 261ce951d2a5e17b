"""TensorBoard with the Filters tab in front."""

import os
import threading
import webbrowser
from collections.abc import Sequence

from tb_filterviz.errors import ConfigError, LogDirError
from tb_filterviz.records import PLUGIN_NAME


def tab_address(address: str) -> str:
    """Where the tab is, within a TensorBoard at `address`."""
    return f"{address}#{PLUGIN_NAME}"


def board(log_dir: str, options: Sequence[str], *, open_browser: bool = False) -> int:
    """Serve `log_dir` until interrupted.

    Args:
        log_dir: as ``tensorboard --logdir``.
        options: further ones of TensorBoard's.
        open_browser: show the tab at once.

    Returns:
        0, once interrupted.

    Raises:
        ConfigError: if TensorBoard does not take the options.
        LogDirError: if it cannot serve.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # what native code says of CPUs is not for our users
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
    print(f"Filters: {address}   (Ctrl+C ends)", flush=True)
    if open_browser:
        webbrowser.open(address)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        print()
    return 0
