import errno
import io
import os
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any

import boto3  # type: ignore[import-untyped,unused-ignore]
import fsspec  # type: ignore[import-untyped,unused-ignore]
import pytest
from fsspec.implementations.memory import (  # type: ignore[import-untyped,unused-ignore]
    MemoryFileSystem,
)
from hypothesis import given
from hypothesis import strategies as st

from tb_filterviz.errors import LogDirError
from tb_filterviz.logs.storage import Folder, LocalFolder, RemoteFolder, folder_of, reason_of
from tests import processes

pytest_plugins = ["tests.logs.s3"]

ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["local", "memory", "s3"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
    """A folder that is not there yet, with a name full of what patterns are made of."""
    name = "runs [1]*?/{a,b}"
    if request.param == "local":
        return folder_of(tmp_path / name)
    if request.param == "memory":
        return folder_of(f"memory://{uuid.uuid4().hex}/{name}")
    return folder_of(f"s3://{request.getfixturevalue('bucket')}/{name}")


def run(code: str, *, without: str = "") -> str:
    """What a new process prints; it cannot import what is named in `without`."""
    blocked = f"import sys; sys.modules.update(dict.fromkeys({without.split()!r}))\n"
    return processes.run("-W", "error::ResourceWarning", "-c", blocked + code, cwd=ROOT).stdout.strip()


def test_a_folder_that_is_not_there_is_empty(folder: Folder) -> None:
    assert (folder.names(), folder.folders()) == ([], [])
    assert not folder.exists("a")
    with pytest.raises(FileNotFoundError):
        folder.open("a")
    with pytest.raises(FileNotFoundError):
        folder.size("a")


def test_what_is_put_is_found_measured_read_and_deleted(folder: Folder) -> None:
    folder.make()
    folder.make()
    names = ["b", "a[0].txt", "q*?", ".dot", "sp ace%20+ü"]
    for name in names:
        folder.put(name, name.encode())
    assert folder.names() == sorted(names)
    for name in names:
        assert folder.exists(name)
        assert folder.size(name) == len(name.encode())
        with folder.open(name) as file:
            assert file.read(1) == name.encode()[:1]
            assert file.tell() == 1
            assert file.read() == name.encode()[1:]
    folder.put("b", b"other")
    with folder.open("b") as file:
        assert file.read() == b"other"
    folder.delete("b")
    assert not folder.exists("b")
    assert folder.names() == sorted(names[1:])


def test_folders_and_files_are_told_apart(folder: Folder) -> None:
    for name in ("filters_2", "filters", "x[1]"):
        child = folder.child(name)
        assert child.path == f"{folder.path}/{name}"
        child.make()
        child.put("file", b"1")
    folder.put("file", b"2")
    assert folder.folders() == ["filters", "filters_2", "x[1]"]
    assert folder.names() == ["file"]
    assert folder.child("x[1]").names() == ["file"]
    assert folder.child("x1").names() == []  # what the pattern x[1] stands for
    assert folder_of(folder.path).folders() == folder.folders()


def test_a_check_leaves_nothing(folder: Folder) -> None:
    folder.check_writable()
    assert (folder.names(), folder.folders()) == ([], [])


def test_a_check_makes_no_folder(tmp_path: Path) -> None:
    folder_of(tmp_path / "a" / "b").check_writable()
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "a" / "b").mkdir(parents=True)
    folder_of(tmp_path / "a" / "b").check_writable()
    assert (tmp_path / "a" / "b").is_dir()


def test_checks_at_the_same_moment_do_not_disturb_each_other(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "a" / "b")
    with ThreadPoolExecutor(4) as threads:
        checks = [threads.submit(folder.check_writable) for _ in range(400)]
        assert [check.result() for check in checks] == [None] * 400
    assert not (tmp_path / "a" / "b").exists() or list((tmp_path / "a" / "b").iterdir()) == []


def test_what_others_write_and_delete_is_seen_at_once(folder: Folder) -> None:
    folder.make()
    mine, others = folder, folder_of(folder.path)
    for _ in range(2):
        assert mine.names() == []
        assert not mine.exists("a")
        others.put("a", b"12")
        assert mine.names() == ["a"]
        assert mine.size("a") == 2
        others.put("a", b"123")
        assert mine.size("a") == 3
        others.delete("a")


def test_local_files_grow_and_are_cut(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    assert folder.can_append
    with folder.create("a") as file:
        assert file.write(b"12345") == 5
        assert (tmp_path / "a").read_bytes() == b"12345"  # unbuffered
    with pytest.raises(FileExistsError):
        folder.create("a")
    folder.truncate("a", 2)
    assert (tmp_path / "a").read_bytes() == b"12"


@pytest.mark.parametrize("act", [lambda it: it.create("a"), lambda it: it.truncate("a", 0)], ids=["create", "truncate"])
def test_remote_files_do_not(act: Callable[[Folder], object]) -> None:
    folder = folder_of("memory://runs")
    assert not folder.can_append
    with pytest.raises(io.UnsupportedOperation, match="'memory://runs' cannot"):
        act(folder)


@given(name=st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=60))
def test_any_name_is_a_name(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    if name in (".", ".."):
        return
    for base in (str(tmp_path_factory.mktemp("any")), f"memory://{uuid.uuid4().hex}"):
        folder = folder_of(base)
        folder.put(name, b"1")
        assert folder.names() == [name]
        assert folder.exists(name)
        folder.delete(name)
        child = folder.child(name)
        child.make()
        child.put("a", b"1")
        assert folder.folders() == [name]
        assert child.names() == ["a"]


def test_a_failed_put_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(IsADirectoryError):
        folder_of(tmp_path).put("a", b"1")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_large_object_is_read_piece_by_piece(bucket: str) -> None:
    folder = folder_of(f"s3://{bucket}/run")
    folder.put("large", bytes(64 << 20))
    code = f"""if True:
        from tests.memory import peak_mib, resident_mib
        from tb_filterviz.logs.storage import folder_of
        folder = folder_of("s3://{bucket}/run")
        folder.put("small", b"1")  # all is imported
        before, size = resident_mib(), 0
        with folder.open("large") as file:
            while piece := file.read(1000_000):
                size += len(piece)
        print(size, peak_mib() - before)"""
    size, mib = run(code).split()
    assert int(size) == 64 << 20
    assert float(mib) < 32


LOCAL = [
    ("runs", "runs"),
    ("~/runs", os.path.expanduser("~/runs")),
    (Path("~/runs"), os.path.expanduser("~/runs")),
    ("/runs[1]*?", "/runs[1]*?"),
    (Path(""), "."),
    ("C:/runs", "C:/runs"),
    ("C:\\runs", "C:\\runs"),
    (PureWindowsPath("C:/runs"), "C:\\runs"),
    (Path("foo:/bar"), "foo:/bar"),
    ("foo:bar", "foo:bar"),
    ("s3", "s3"),
    ("s3:x", "s3:x"),
    ("a/s3://b", "a/s3://b"),
    ("2026-01-01T12:00:00/x", "2026-01-01T12:00:00/x"),
    ("a::b", "a::b"),
    ("file:///runs/a%20b", "/runs/a%20b"),
    (Path("file:///runs"), "/runs"),
    ("file://runs", "runs"),
    ("FILE:///runs", "/runs"),
    ("local:///runs", "/runs"),
]


@pytest.mark.parametrize(("log_dir", "path"), LOCAL, ids=repr)
def test_what_is_local(log_dir: str | PurePath, path: str) -> None:
    folder = folder_of(log_dir)
    assert isinstance(folder, LocalFolder)
    assert folder.path == path


REMOTE = [
    ("s3://b/x", "s3://b/x"),
    (Path("s3://b/x"), "s3://b/x"),
    (PurePosixPath("s3://b") / "x", "s3://b/x"),
    (PureWindowsPath("s3://b/x"), "s3://b/x"),
    ("s3:/b/x", "s3://b/x"),
    ("s3a://b/x[1]*?", "s3a://b/x[1]*?"),
    ("S3://b/x", "s3://b/x"),
    ("s3://b/x::y", "s3://b/x::y"),
    ("s3://b/a\\b", "s3://b/a\\b"),
    ("memory://x", "memory://x"),
    (Path("memory://x"), "memory://x"),
]


@pytest.mark.parametrize(("log_dir", "path"), REMOTE, ids=repr)
def test_what_is_remote(log_dir: str | PurePath, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = folder_of(log_dir)
    assert isinstance(folder, RemoteFolder)
    assert folder.path == path
    assert folder.child("y").path == f"{path}/y"
    assert not list(tmp_path.iterdir())  # no folder called "s3:"


@pytest.mark.parametrize("end", ["", "/", "//"])
def test_slashes_at_the_end_make_no_difference(bucket: str, end: str) -> None:
    folder = folder_of(f"s3://{bucket}/x{end}")
    folder.child("y").put("a", b"1")
    assert folder.child("y").path == f"s3://{bucket}/x/y"
    assert folder_of(f"s3://{bucket}/x").folders() == folder.folders() == ["y"]
    assert folder_of(f"s3://{bucket}{end}").folders() == ["x"]


REFUSED = [
    ("", "needs a name"),
    ("a\0b", "without NUL"),
    (Path("a\0b"), "without NUL"),
    ("s3://", "needs a name after s3://"),
    ("s3:///", "needs a name after s3://"),
    (Path("s3://"), "needs a name after s3://"),
    ("file://", "needs a name after file://"),
    ("simplecache::s3://b/x", "Give the last one alone"),
    ("nonsense://x", r'nothing is known of nonsense://.*pip install "tb_filterviz\[remote\]" s3fs'),
    ("gs://b/x", r'Please install gcsfs.*pip install "tb_filterviz\[remote\]" gcsfs'),
    (Path("gs://b/x"), r'Please install gcsfs.*pip install "tb_filterviz\[remote\]" gcsfs'),
    ("abfs://b/x", r'Install adlfs.*pip install "tb_filterviz\[remote\]"'),
    ("my_own://x", "nothing is known of my_own://"),
    *(
        (f"{scheme}://b/x", f"'{scheme}://b/x' cannot be a log directory")
        for scheme in ("simplecache", "github", "dir")
    ),
]


@pytest.mark.parametrize(("log_dir", "sentence"), REFUSED, ids=repr)
def test_what_is_refused(log_dir: str | PurePath, sentence: str) -> None:
    with pytest.raises(LogDirError, match=f"^[^\n]*{sentence}"):
        folder_of(log_dir)


@pytest.mark.parametrize(
    ("without", "log_dir", "sentence"),
    [
        ("fsspec", "'s3://b/x'", "without the package fsspec. Install what it needs: "),
        ("fsspec", "Path('s3://b/x')", "without the package fsspec. Install what it needs: "),
        ("fsspec", "Path('gs://b/x')", 'pip install "tb_filterviz[remote]" gcsfs'),
        ("fsspec", "'nonsense://x'", 'pip install "tb_filterviz[remote]"'),
        (
            "s3fs",
            "'s3://b/x'",
            'Install s3fs to access S3. Install what it needs: pip install "tb_filterviz[remote]" s3fs',
        ),
        ("s3fs", "Path('s3://b/x')", 'pip install "tb_filterviz[remote]" s3fs'),
    ],
)
def test_without_the_packages_the_sentence_names_them(without: str, log_dir: str, sentence: str) -> None:
    code = f"""if True:
        from pathlib import Path
        from tb_filterviz.errors import LogDirError
        from tb_filterviz.logs.storage import folder_of
        folder_of("/tmp").names(), folder_of(Path("foo:/bar")).names()
        try:
            folder_of({log_dir})
        except LogDirError as error:
            print(error)"""
    assert sentence in run(code, without=without)


def test_no_bucket_is_made_for_a_name_that_is_mistaken(bucket: str) -> None:
    folder = folder_of(f"s3://{bucket}-misspelt/x")
    with pytest.raises(FileNotFoundError) as caught:
        folder.check_writable()
    assert reason_of(caught.value) == "The specified bucket does not exist"
    assert f"{bucket}-misspelt" not in [each["Name"] for each in boto3.client("s3").list_buckets()["Buckets"]]


def test_a_server_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch, bucket: str) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")  # nothing is remembered of the server before
    with pytest.raises(Exception, match="Could not connect") as caught:
        folder_of(f"s3://{bucket}/x").check_writable()
    assert reason_of(caught.value).startswith('Could not connect to the endpoint URL: "http://127.0.0.1:9/')


def test_without_credentials_that_is_told(monkeypatch: pytest.MonkeyPatch, bucket: str) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(Exception, match="credentials") as caught:
        folder_of(f"s3://{bucket}/x").check_writable()
    assert reason_of(caught.value) == "Unable to locate credentials"


class Archive(MemoryFileSystem):  # type: ignore[misc,unused-ignore]
    """What is stored there stays there."""

    protocol = "archive"

    def rm_file(self, path: str) -> None:
        raise PermissionError(f"Access Denied: {path}")


def test_where_deleting_is_forbidden_logs_can_be_written() -> None:
    fsspec.register_implementation("archive", Archive, clobber=True)
    folder = folder_of(Path(f"archive://{uuid.uuid4().hex}"))
    for _ in range(3):
        folder.check_writable()
    assert len(folder.names()) == 1


def test_a_file_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="directory") as caught:
        folder_of(tmp_path / "file" / "run").check_writable()
    assert reason_of(caught.value) == os.strerror(errno.ENOTDIR)


@pytest.mark.skipif(not hasattr(os, "setuid"), reason="Windows has other permissions")
def test_a_folder_of_somebody_else_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    code = f"""if True:
        import os
        from tb_filterviz.logs.storage import folder_of, reason_of
        os.chdir({str(tmp_path)!r})  # what is above it is nobody's business
        if os.getuid() == 0:
            os.setuid(65534)
        try:
            folder_of(".").check_writable()
        except PermissionError as error:
            print(reason_of(error))"""
    assert run(code) == os.strerror(errno.EACCES)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/a/b"), os.strerror(errno.ENOSPC)),
        (OSError("first line.\nsecond line"), "first line"),
        (OSError(), "OSError"),
        (NotImplementedError(), "NotImplementedError"),
        (FileNotFoundError("/a b/c"), f"{os.strerror(errno.ENOENT)}: /a b/c"),
        (PermissionError("Access Denied"), "Access Denied"),
        (LogDirError("A sentence of ours."), "A sentence of ours"),
        (ValueError("odd"), "odd"),
    ],
    ids=repr,
)
def test_errors_in_short_words(error: Exception, words: str) -> None:
    assert reason_of(error) == words


@pytest.mark.parametrize("kind", [str, Path])
def test_a_tilde_is_the_home_folder(kind: Callable[[str], str | Path], tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    folder_of(kind("~/logs")).child("run").check_writable()
    assert folder_of(kind("~/logs")).path == str(tmp_path / "logs")
    assert folder_of(kind("a~/logs")).path == "a~/logs"
