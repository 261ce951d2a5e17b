from tests.plugin.windows import fox, window

__all__ = ["fox", "window"]
