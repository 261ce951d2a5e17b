from tb_filterviz import LogDirError
from tb_filterviz.training.failures import Failures, spans


def test_steps_are_worded_as_spans() -> None:
    assert spans([-1]) == "-1"
    assert spans([-1, 0, 1, 3, 5, 6]) == "-1 to 1, 3, 5 to 6"


def test_each_kind_of_failure_is_new_once_and_told_in_the_end_if_there_were_more() -> None:
    failures = Failures()
    assert [failures.add(step, LogDirError("Cannot write: No space left")) for step in (2, 3, 7)] == [
        True,
        False,
        False,
    ]
    assert failures.add(4, OSError(5, "Input/output error", "picture-0004.png"))
    assert not failures.add(5, OSError(5, "Input/output error", "picture-0005.png"))  # the name of a file is no kind
    assert failures.add(6, LogDirError("Cannot write: Permission denied"))
    assert failures.describe() == [
        "Failed at steps 2 to 3, 7: LogDirError: Cannot write: No space left.",
        "Failed at steps 4 to 5: OSError: Input/output error.",
    ]
