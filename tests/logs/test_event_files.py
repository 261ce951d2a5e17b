import gc
import io
import itertools
import os
import signal
import socket
import struct
import time
import tracemalloc
import uuid
from collections.abc import Iterator
from pathlib import Path

import boto3  # type: ignore[import-untyped,unused-ignore]
import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.summary.writer.record_writer import RecordWriter
from tensorboard.util import tensor_util

from tb_filterviz.logs.event_files import (
    MAX_RECORD_BYTES,
    events,
    filters_metadata,
    frame,
    image_metadata,
    new_event_file,
    read_records,
    scalar_metadata,
    tensor_event,
    text_metadata,
)
from tb_filterviz.logs.storage import Folder, folder_of, reason_of
from tests import processes
from tests.disks import mounted
from tests.event_reader import read_run, series, steps

pytest_plugins = ["tests.logs.s3"]

ROOT = Path(__file__).parents[2]


def curve(step: int, value: float | None = None, *, label: str = "curve") -> Event:
    return tensor_event(step, "curve", np.float32(step if value is None else value), scalar_metadata(label))


def paths(folder: Path) -> list[Path]:
    return sorted(folder.glob("*tfevents*"))


def steps_in(folder: Folder) -> list[list[int]]:
    """The steps of each file of a folder, in the order of their names; the first event of each has none."""
    found = []
    for name in folder.names():
        with folder.open(name) as stream:
            read = [event for event, _ in events(stream)]
        assert read[0].file_version == "brain.Event:2"
        found.append([event.step for event in read[1:]])
    return found


def run(code: str, *, without: str = "", **environment: str) -> str:
    """What a new process prints; it cannot import what is named in `without`."""
    blocked = f"import sys; sys.modules.update(dict.fromkeys({without.split()!r}))\n"
    return processes.run("-c", blocked + code, cwd=ROOT, env={**os.environ, **environment}).stdout.strip()


# Records


@given(st.lists(st.binary(max_size=300), max_size=5))
def test_records_are_those_of_tensorboard_and_are_read_back(payloads: list[bytes]) -> None:
    theirs = io.BytesIO()
    writer = RecordWriter(theirs)
    for payload in payloads:
        writer.write(payload)
    ours = b"".join(map(frame, payloads))
    assert ours == theirs.getvalue()
    read = list(read_records(io.BytesIO(ours)))
    assert [payload for payload, _ in read] == payloads
    assert [end for _, end in read] == list(itertools.accumulate(len(payload) + 16 for payload in payloads))


@pytest.fixture(scope="module")
def small() -> bytes:
    """Three records of events; none ends with a zero, so that zeros behind a cut are never what was cut off."""
    written = []
    for step in (1, 2, 3):
        event = curve(step)
        event.wall_time = 1.7e9
        written.append(frame(event.SerializeToString()))
    assert all(record[-1] for record in written)
    return b"".join(written)


def ends(data: bytes) -> list[int]:
    return [end for _, end in events(io.BytesIO(data))]


def test_a_file_cut_anywhere_yields_what_is_whole(small: bytes) -> None:
    whole = ends(small)
    assert len(whole) == 3
    for cut in range(len(small)):
        assert ends(small[:cut]) == [end for end in whole if end <= cut]
        assert ends(small[:cut] + bytes(100)) == [end for end in whole if end <= cut]  # what a crashed disk leaves


def test_a_file_damaged_anywhere_yields_what_is_before(small: bytes) -> None:
    whole = ends(small)
    for place, damage in itertools.product(range(len(small)), (0x01, 0x80, 0xFF)):
        damaged = bytearray(small)
        damaged[place] ^= damage
        assert ends(bytes(damaged)) == [end for end in whole if end <= place]


@given(st.binary(max_size=200), st.lists(st.binary(max_size=60), max_size=3))
def test_whatever_there_is_never_raises(junk: bytes, payloads: list[bytes]) -> None:
    data = b"".join(map(frame, payloads)) + junk
    assert [payload for payload, _ in read_records(io.BytesIO(data))][: len(payloads)] == payloads
    list(events(io.BytesIO(data)))
    list(events(io.BytesIO(junk)))


@pytest.mark.parametrize("length", [MAX_RECORD_BYTES, MAX_RECORD_BYTES + 1, 2**40, 2**63, 2**64 - 1])
def test_a_file_that_lies_takes_no_memory(tmp_path: Path, length: int) -> None:
    checksum = frame(struct.pack("<Q", length))[-4:]
    (tmp_path / "lie").write_bytes(frame(b"true") + struct.pack("<Q", length) + checksum + b"and no more")
    with folder_of(tmp_path).open("lie") as stream:
        tracemalloc.start()
        read = list(read_records(stream))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert [payload for payload, _ in read] == [b"true"]
    assert peak <= MAX_RECORD_BYTES + 2**20


def test_a_file_that_grows_is_read_on(tmp_path: Path) -> None:
    file = new_event_file(folder_of(tmp_path))
    end = 0
    with folder_of(tmp_path).open(file.name) as stream:
        for step in range(3):
            file.write([curve(step), curve(step)])
            stream.seek(end)
            found = [(event.step, end) for event, end in events(stream) if not event.file_version]
            assert [step for step, _ in found] == [step, step]
            end = found[-1][1]
    assert end == file.mark()
    file.close()


# What is in them

ARRAYS = [
    np.arange(24, dtype=np.uint8).reshape(2, 3, 4, 1),
    np.uint8(7) * np.ones((1, 1, 1, 1), np.uint8),
    np.zeros((0, 5, 5, 1), np.uint8),
    np.float32(0.25),
    np.array(np.nan, np.float32),
    np.array([1, -np.inf, np.nan], np.float32),
    np.zeros(0, np.float32),
    np.arange(3, dtype=np.float64),
    np.arange(3, dtype=">f4"),
    np.arange(24, dtype=np.float32).reshape(4, 6)[::2, ::-3],
    np.array([True, False]),
    np.arange(3, dtype=np.float16),
    np.arange(-1, 2, dtype=np.int64),
]


@pytest.mark.parametrize("value", ARRAYS, ids=lambda value: f"{value.dtype}{value.shape}")
def test_arrays_arrive(tmp_path: Path, value: npt.NDArray[np.generic]) -> None:
    file = new_event_file(folder_of(tmp_path))
    file.write([tensor_event(-1, "a", value, filters_metadata(b"{}"))])
    file.close()
    read = series(tmp_path, "a")[-1]
    assert (read.dtype, read.shape) == (value.dtype.newbyteorder("="), value.shape)
    np.testing.assert_array_equal(read, value)


@given(st_numpy.arrays(st.sampled_from(["u1", "f4", "?", "i4"]), st_numpy.array_shapes(min_dims=0, min_side=0)))
def test_any_array_arrives(value: npt.NDArray[np.generic]) -> None:
    payload = tensor_event(3, "a", value, filters_metadata(b"")).SerializeToString()
    for read in (
        tensor_util.make_ndarray(Event.FromString(payload).summary.value[0].tensor),
        tf.make_ndarray(tf.compat.v1.Event.FromString(payload).summary.value[0].tensor),
    ):
        assert (read.dtype, read.shape) == (value.dtype, value.shape)
        np.testing.assert_array_equal(read, value)


@pytest.mark.parametrize("value", [b"", b"a\0", b"\xff", [b"28", b"28", b"\x89PNG\0\0"], [b"\0"], "text ü"], ids=repr)
def test_bytes_arrive_with_zeros_at_their_end(value: bytes | list[bytes] | str) -> None:
    payload = tensor_event(3, "a", value, image_metadata()).SerializeToString()
    tensor = tf.compat.v1.Event.FromString(payload).summary.value[0].tensor
    expected = value if isinstance(value, list) else [value.encode() if isinstance(value, str) else value]
    assert tensor.dtype == tf.string.as_datatype_enum
    assert list(tensor.string_val) == expected
    assert [dim.size for dim in tensor.tensor_shape.dim] == ([len(value)] if isinstance(value, list) else [])


def test_metadata_is_what_tensorflow_writes(tmp_path: Path) -> None:
    with tf.summary.create_file_writer(str(tmp_path)).as_default(step=0):
        tf.summary.scalar("scalar", 1.0, description="of it")
        tf.summary.image("image", np.zeros((1, 2, 2, 1), np.uint8), description="of it")
        tf.summary.text("text", "words", description="of it")
    theirs = read_run(tmp_path)
    for tag, ours in (("scalar", scalar_metadata), ("image", image_metadata), ("text", text_metadata)):
        expected = theirs.SummaryMetadata(tag)
        made = ours(expected.display_name, "of it")
        made.data_class = expected.data_class  # TensorBoard adds it when it reads
        assert made == expected


def test_metadata_of_ours_has_a_class_and_a_curve_a_name(tmp_path: Path) -> None:
    file = new_event_file(folder_of(tmp_path))
    file.write([tensor_event(0, "tiles", np.zeros((1, 2, 2, 1), np.uint8), filters_metadata(b'{"version": 2}'))])
    file.write([curve(0, label="share of it")])
    file.close()
    run = read_run(tmp_path)
    tiles = run.SummaryMetadata("tiles")
    assert (tiles.plugin_data.plugin_name, tiles.plugin_data.content) == ("filterviz", b'{"version": 2}')
    assert tiles.data_class == 2
    assert run.SummaryMetadata("curve").display_name == "share of it"
    assert run.SummaryMetadata("curve").plugin_data.plugin_name == "scalars"


def test_times_are_now_or_as_told() -> None:
    before = time.time()
    assert before <= curve(0).wall_time <= time.time()
    assert tensor_event(0, "a", 1.0, scalar_metadata(), wall_time=0.0).wall_time == 0.0


# Local files


def test_what_is_written_is_read_by_tensorboard_and_tensorflow(tmp_path: Path) -> None:
    place = tmp_path / "runs [1]*?"
    folder = folder_of(place)
    folder.make()
    file = new_event_file(folder)
    for step in range(-1, 20):
        file.write([curve(step), tensor_event(step, "text", b"words", text_metadata())])
        file.flush()
        assert not file.what_happened()
        assert file.mark() == folder.size(file.name)
    assert steps(place, "curve") == steps(place, "text") == list(range(-1, 20))
    file.close()
    read = [
        tf.compat.v1.Event.FromString(each)
        for each in tf.data.TFRecordDataset(str(place / file.name)).as_numpy_iterator()
    ]
    assert read[0].file_version == "brain.Event:2"
    assert read[0].source_metadata.writer == "tb_filterviz"
    assert [event.step for event in read[1:]] == [step for step in range(-1, 20) for _ in range(2)]


def test_a_step_is_one_write_and_survives_a_kill(tmp_path: Path) -> None:
    code = f"""if True:
        import os, signal
        import numpy as np
        from pathlib import Path
        from tb_filterviz.logs.event_files import new_event_file, tensor_event, scalar_metadata, filters_metadata
        from tb_filterviz.logs.storage import folder_of
        def writes():
            lines = Path("/proc/self/io").read_text().splitlines() if Path("/proc/self/io").exists() else ["syscw: 0"]
            return next(int(line.split()[1]) for line in lines if line.startswith("syscw"))
        file = new_event_file(folder_of({str(tmp_path)!r}))
        step = [tensor_event(0, "large", np.zeros((300, 100, 100, 1), np.uint8), filters_metadata(b""))] * 3
        step += [tensor_event(0, "curve", np.float32(step), scalar_metadata()) for step in range(1000)]
        before = writes()
        file.write(step)
        print(writes() - before, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)"""
    done = processes.run("-c", code, status=-signal.SIGKILL, cwd=ROOT)
    assert int(done.stdout) == (1 if Path("/proc/self/io").exists() else 0)
    assert len(steps(tmp_path, "curve")) == 1000
    assert len(steps(tmp_path, "large")) == 3


def test_names_are_those_of_event_files_and_sort_as_they_were_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", pytest.fail)  # it does not wait for the next second
    folder = folder_of(tmp_path)
    before = time.time()
    made = []
    for step in range(12):
        file = new_event_file(folder)
        file.write([curve(step)])
        file.close()
        made.append(file.name)
    assert made == sorted(made) == folder.names()
    second = int(made[0].split(".")[3])
    assert int(before) <= second <= time.time()
    assert made[0].startswith(f"events.out.tfevents.{second}.{socket.gethostname()}.{os.getpid()}.")
    assert steps(tmp_path, "curve") == list(range(12))


@pytest.mark.parametrize(
    "there", ["events.out.tfevents.{future}.elsewhere.1.0.v2", "events.out.tfevents.{future}999.zz"]
)
def test_names_sort_after_those_of_a_clock_that_is_ahead(tmp_path: Path, there: str) -> None:
    ahead = there.format(future=int(time.time()) + 86400)
    for name in (ahead, "events.out.tfevents.nonsense", "events.out.tfevents.0000000001.old", "tfevents", "other"):
        (tmp_path / name).touch()
    (tmp_path / "events.out.tfevents.9999999999.folder").mkdir()
    first, second = new_event_file(folder_of(tmp_path)), new_event_file(folder_of(tmp_path))
    assert ahead < first.name < second.name
    first.close()
    second.close()


def test_a_mark_takes_back_what_came_after(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    file = new_event_file(folder)
    file.write([curve(0)])
    mark = file.mark()
    file.rewind(mark)  # nothing to take back, so it can go on
    file.write([curve(1)])
    file.write([curve(1, 7)])
    file.rewind(mark)
    assert file.mark() == mark == folder.size(file.name)
    with pytest.raises(ValueError, match=r"has ended: go on in a new one\.$"):
        file.write([curve(2)])
    assert steps_in(folder) == [[0]]
    file.close()
    file = new_event_file(folder)
    file.write([curve(1)])
    file.close()
    assert steps_in(folder) == [[0], [1]]


def test_a_tensorboard_that_looks_on_sees_what_follows_a_rewind(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    file = new_event_file(folder)
    mark = file.mark()
    file.write([curve(0, label="long" * 100)])
    board = EventAccumulator(str(tmp_path))
    board.Reload()
    file.rewind(mark)
    file.close()
    file = new_event_file(folder)
    for step in (1, 2, 3):
        file.write([curve(step)])
        board.Reload()
        assert [event.step for event in board.Tensors("curve")] == list(range(step + 1))
    file.close()


def test_a_file_that_is_deleted_or_replaced_is_not_there(tmp_path: Path) -> None:
    file = new_event_file(folder_of(tmp_path))
    path = tmp_path / file.name
    assert not file.what_happened()
    path.rename(tmp_path / "elsewhere")
    assert file.what_happened()
    path.touch()
    assert file.what_happened()
    (tmp_path / "elsewhere").replace(path)
    assert not file.what_happened()
    file.close()
    assert not file.what_happened()
    path.unlink()
    tmp_path.rmdir()
    assert file.what_happened()
    tmp_path.touch()
    assert file.what_happened()


def test_a_file_is_closed_once_and_also_when_forgotten(tmp_path: Path) -> None:
    def held() -> list[str]:
        """Those of this test alone: others may have left some, which go in the meantime."""
        links = [path for path in Path("/proc/self/fd").glob("*") if path.is_symlink()]
        return [name for link in links if (name := os.path.realpath(link)).startswith(str(tmp_path))]

    closed, forgotten = new_event_file(folder_of(tmp_path)), new_event_file(folder_of(tmp_path))
    closed.close()
    closed.close()
    with pytest.raises(ValueError, match="closed file"):
        closed.write([curve(0)])
    del forgotten
    gc.collect()
    assert held() == []  # and no ResourceWarning, which would fail this test


# Full disks


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB."""
    with mounted(tmp_path / "disk", "64k") as place:
        yield place


def picture(step: int) -> Event:
    return tensor_event(step, "picture", [b"1", b"1", bytes(20_000)], image_metadata())


def test_a_full_disk_keeps_the_steps_before_and_takes_those_after(small_disk: Path) -> None:
    folder = folder_of(small_disk)
    file = new_event_file(folder)
    written = []
    with pytest.raises(OSError, match="No space left") as caught:  # noqa: PT012
        for step in range(10):
            file.write([picture(step), curve(step)])
            written.append(step)
    assert reason_of(caught.value) == "No space left on device"
    assert 0 < len(written) < 4
    assert steps_in(folder) == [[step for step in written for _ in range(2)]]
    assert file.mark() == folder.size(file.name)
    with pytest.raises(ValueError, match="has ended"):
        file.write([curve(9)])
    file.close()

    (small_disk / "others").write_bytes(bytes((64 << 10) - 4096 * -(-file.mark() // 4096)))
    with pytest.raises(OSError, match="No space left"):
        folder.check_writable()
    with pytest.raises(OSError, match="No space left"):
        new_event_file(folder)
    assert folder.names() == sorted([file.name, "others"])  # what could not be begun is not there

    (small_disk / "others").unlink()
    folder.check_writable()
    other = new_event_file(folder)
    other.write([curve(9)])
    other.close()
    assert steps(small_disk, "curve") == [*written, 9]


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="Windows has no limit for the size of a file")
def test_a_write_cut_short_is_taken_back(tmp_path: Path) -> None:
    code = f"""if True:
        import resource, signal
        import numpy as np
        from tb_filterviz.logs.event_files import new_event_file, tensor_event, scalar_metadata, filters_metadata
        from tb_filterviz.logs.storage import folder_of, reason_of
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        file = new_event_file(folder_of({str(tmp_path)!r}))
        curve = [tensor_event(0, "curve", np.float32(1), scalar_metadata())]
        file.write(curve)
        mark = file.mark()
        resource.setrlimit(resource.RLIMIT_FSIZE, (mark + 500, resource.RLIM_INFINITY))
        try:
            file.write([tensor_event(0, "a", np.zeros(1000, np.uint8), filters_metadata(b""))])
        except OSError as error:
            print(reason_of(error), file.mark() == mark)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        file.close()
        file = new_event_file(folder_of({str(tmp_path)!r}))
        file.write(curve)
        file.close()"""
    assert run(code) == "File too large True"
    assert steps_in(folder_of(tmp_path)) == [[0], [0]]


# Remote files


@pytest.fixture(params=["memory", "s3"])
def remote(request: pytest.FixtureRequest) -> Folder:
    place = f"memory://{uuid.uuid4().hex}" if request.param == "memory" else f"s3://{request.getfixturevalue('bucket')}"
    return folder_of(f"{place}/runs [1]*?")


def test_each_flush_is_one_whole_file_after_all_before(remote: Folder) -> None:
    file = new_event_file(remote)
    assert file.name == ""
    assert not file.what_happened()
    names = []
    for step in range(4):
        file.write([curve(step)])
        file.write([tensor_event(step, "text", b"words", text_metadata())])
        assert len(remote.names()) == step  # nothing yet
        file.flush()
        file.flush()  # nothing more
        names.append(file.name)
        assert remote.names() == names == sorted(names)
        assert not file.what_happened()
    file.close()
    file.close()
    assert steps_in(remote) == [[step, step] for step in range(4)]
    following = new_event_file(remote)
    following.write([curve(4)])
    following.close()  # flushes
    assert following.name > names[-1]
    assert steps_in(remote)[-1] == [4]
    remote.delete(following.name)
    assert following.what_happened()


def test_a_remote_mark_takes_back_what_is_not_flushed(remote: Folder) -> None:
    file = new_event_file(remote)
    file.write([curve(0)])
    mark = file.mark()
    file.write([curve(1)])
    file.rewind(mark)
    file.write([curve(2)])
    file.flush()
    file.rewind(mark)
    assert file.mark() == 0
    file.write([curve(3)])
    file.rewind(file.mark())
    file.close()
    assert steps_in(remote) == [[0, 2], [3]]


def test_what_cannot_be_put_is_no_part_of_the_next_step(bucket: str) -> None:
    file = new_event_file(folder_of(f"s3://{bucket}/run"))
    client = boto3.client("s3")
    client.delete_bucket(Bucket=bucket)
    file.write([curve(0)])
    with pytest.raises(FileNotFoundError) as caught:
        file.flush()
    assert reason_of(caught.value) == "The specified bucket does not exist"
    client.create_bucket(Bucket=bucket)
    assert file.name == ""
    file.write([curve(1)])
    file.flush()
    file.close()
    assert steps_in(folder_of(f"s3://{bucket}/run")) == [[1]]


def test_tensorboard_reads_what_is_remote(bucket: str, s3_endpoint: str) -> None:
    file = new_event_file(folder_of(f"s3://{bucket}/run"))
    for step in range(12):
        file.write([curve(step)])
        file.flush()
    file.close()
    code = f"""if True:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
        run = EventAccumulator("s3://{bucket}/run", size_guidance={{"tensors": 0}})
        run.Reload()
        print([event.step for event in run.Tensors("curve")])"""
    # TensorFlow would read by its own means, which need a package more. S3_ENDPOINT is what TensorBoard goes by.
    found = run(code, without="tensorflow tensorflow.compat.v2", S3_ENDPOINT=s3_endpoint)
    assert found.splitlines()[-1] == str(list(range(12)))


# What is imported

ROUND_TRIP = """if True:
    import sys, tempfile
    import numpy as np
    from tb_filterviz.logs.event_files import events, filters_metadata, new_event_file, tensor_event
    from tb_filterviz.logs.storage import folder_of
    for place in sys.argv[1:] or [tempfile.mkdtemp()]:
        folder = folder_of(place)
        folder.check_writable()
        file = new_event_file(folder)
        file.write([tensor_event(3, "a", np.arange(5, dtype=np.uint8), filters_metadata(b"{}"))])
        file.flush()
        file.close()
        with folder.open(file.name) as stream:
            print([event.step for event, _ in events(stream)])
        folder.delete(file.name)
    loaded = {name for name, module in sys.modules.items() if module}
    print(sorted(loaded & {"tensorflow", "keras", "jax", "torch", "google_crc32c"}))
"""


@pytest.mark.parametrize(
    ("without", "imported"),
    [("", ["google_crc32c"]), ("google_crc32c fsspec s3fs boto3 tensorflow keras", [])],
    ids=["all", "bare"],
)
def test_neither_tensorflow_nor_keras_is_imported(without: str, imported: list[str]) -> None:
    assert run(ROUND_TRIP, without=without).splitlines() == ["[0, 3]", str(imported)]


def test_nor_for_what_is_remote(bucket: str) -> None:
    code = f"import sys; sys.argv[1:] = ['memory://run', 's3://{bucket}/run']\n{ROUND_TRIP}"
    found = run(code).splitlines()
    assert found == ["[0, 3]", "[0, 3]", "['google_crc32c']"]


def test_without_google_crc32c_the_records_are_the_same(small: bytes, tmp_path: Path) -> None:
    (tmp_path / "small").write_bytes(small)
    code = f"""if True:
        import io
        from pathlib import Path
        from tb_filterviz.logs.event_files import events, frame, read_records
        place = Path({str(tmp_path)!r})
        data = (place / "small").read_bytes()
        (place / "again").write_bytes(b"".join(frame(payload) for payload, _ in read_records(io.BytesIO(data))))
        print({{len(list(events(io.BytesIO(data[:cut] + bytes(50))))) for cut in range(len(data))}})"""
    assert run(code, without="google_crc32c") == "{0, 1, 2}"
    assert (tmp_path / "again").read_bytes() == small
