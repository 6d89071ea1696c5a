"""A file that was asked for is whole or not there, and nothing is replaced by surprise."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from analytics_core.errors import OutputError
from analytics_core.output import make_folder, refuse_to_replace, write_file


def test_the_file_holds_what_was_written(tmp_path: Path) -> None:
    write_file(tmp_path / "usage.csv", b"day\n")
    assert (tmp_path / "usage.csv").read_bytes() == b"day\n"


def test_nothing_else_is_left_in_the_folder(tmp_path: Path) -> None:
    write_file(tmp_path / "usage.csv", b"day\n")
    assert [path.name for path in tmp_path.iterdir()] == ["usage.csv"]


def test_a_missing_folder_is_named_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot write .*usage\.csv: No such file"):
        write_file(tmp_path / "missing" / "usage.csv", b"")


def test_a_device_is_not_replaced_by_a_file() -> None:
    with pytest.raises(OutputError, match="it is not a file"):
        write_file(Path("/dev/null"), b"day\n")
    assert Path("/dev/null").is_char_device()


def test_a_full_disk_keeps_the_old_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "usage.csv").write_bytes(b"old\n")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, limits[1]))
    try:
        with pytest.raises(OutputError, match="File too large"):
            write_file(tmp_path / "usage.csv", bytes(4096))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / "usage.csv").read_bytes() == b"old\n"
    assert [path.name for path in tmp_path.iterdir()] == ["usage.csv"]


def test_a_folder_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="it is not a file"):
        write_file(tmp_path, b"")


def test_a_link_keeps_pointing_at_the_file_that_was_written(tmp_path: Path) -> None:
    link = tmp_path / "latest.csv"
    link.symlink_to("usage.csv")
    write_file(link, b"day\n")
    assert link.is_symlink()
    assert (tmp_path / "usage.csv").read_bytes() == b"day\n"


def test_what_is_there_already_is_refused(tmp_path: Path) -> None:
    (tmp_path / "usage.csv").touch()
    with pytest.raises(OutputError, match="--force"):
        refuse_to_replace(tmp_path / "usage.csv")


def test_a_folder_is_made_with_its_parents(tmp_path: Path) -> None:
    make_folder(tmp_path / "reports" / "october")
    make_folder(tmp_path / "reports" / "october")
    assert (tmp_path / "reports" / "october").is_dir()


def test_a_folder_in_the_place_of_a_file_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "reports").touch()
    with pytest.raises(OutputError, match=r"cannot write .*reports"):
        make_folder(tmp_path / "reports")
