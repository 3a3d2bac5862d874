"""Where compiled kernels are kept."""

from pathlib import Path

import pytest

from hotpath._jit import CacheFolderError, keep_compiled


def test_the_cache_folder_is_made_for_us_alone(tmp_path: Path) -> None:
    keep_compiled((), tmp_path / "a" / "kernels")
    assert (tmp_path / "a" / "kernels").stat().st_mode & 0o777 == 0o700


def test_a_folder_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(CacheFolderError, match="others may write"):
        keep_compiled((), tmp_path)


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CacheFolderError, match="cannot keep"):
        keep_compiled((), tmp_path / "file" / "kernels")
