"""What is run from a folder must not be anybody else's: not in it, not in its place, not through a link."""

import grp
import os
import pwd
from pathlib import Path

import pytest

from edge import private_folder
from edge.kernel_cache import CacheFolderError, KeptKernels

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
STRANGER = 54_321


def folder_in(parent: Path) -> Path:
    parent.mkdir(mode=0o755)
    return parent / "data" / "kernels"


def test_a_folder_of_our_own_is_used(tmp_path: Path) -> None:
    KeptKernels(folder_in(tmp_path / "home"))


@pytest.mark.parametrize("mode", [0o777, 0o757])
def test_a_parent_that_others_can_write_to_is_refused_by_name(tmp_path: Path, mode: int) -> None:
    folder = folder_in(tmp_path / "home")
    folder.parent.parent.chmod(mode)
    with pytest.raises(CacheFolderError, match=f"{tmp_path / 'home'}: others may exchange.*chmod go-w"):
        KeptKernels(folder)
    folder.parent.parent.chmod(0o1777)
    KeptKernels(folder)


def test_a_link_in_a_place_that_others_can_write_to_is_refused(tmp_path: Path) -> None:
    folder_in(tmp_path / "home")
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    (open_to_all / "link").symlink_to(tmp_path / "home")
    with pytest.raises(CacheFolderError, match="others may exchange"):
        KeptKernels(open_to_all / "link" / "kernels")
    (tmp_path / "link").symlink_to(tmp_path / "home")
    KeptKernels(tmp_path / "link" / "kernels")
    (tmp_path / "home").chmod(0o777)
    with pytest.raises(CacheFolderError, match="others may exchange"):
        KeptKernels(tmp_path / "link" / "kernels")


def test_a_group_of_ours_alone_may_write_to_a_parent_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_in(tmp_path / "home")
    folder.parent.parent.chmod(0o775)
    user = pwd.getpwuid(os.geteuid())
    group = (user.pw_name, "x", folder.parent.parent.stat().st_gid)
    monkeypatch.setattr(private_folder.pwd, "getpwuid", lambda _: pwd.struct_passwd((*user[:3], group[2], *user[4:])))
    for members, name in (([], "staff"), (["somebody"], user.pw_name)):
        monkeypatch.setattr(
            private_folder.grp, "getgrgid", lambda _, n=name, m=members: grp.struct_group((n, "x", group[2], m))
        )
        with pytest.raises(CacheFolderError, match="others may exchange"):
            KeptKernels(folder)
    monkeypatch.setattr(private_folder.grp, "getgrgid", lambda _: grp.struct_group((*group, [user.pw_name])))
    KeptKernels(folder)


@as_root
def test_a_parent_or_a_file_of_somebody_else_is_refused(tmp_path: Path) -> None:
    folder = folder_in(tmp_path / "home")
    kept = KeptKernels(folder)
    (kept.own / "a").touch()
    os.chown(kept.own / "a", STRANGER, STRANGER)
    with pytest.raises(CacheFolderError, match="files of somebody else"):
        KeptKernels(folder)
    (kept.own / "a").unlink()
    os.chown(tmp_path / "home", STRANGER, STRANGER)
    with pytest.raises(CacheFolderError, match="others may exchange"):
        KeptKernels(folder)
    os.chown(tmp_path / "home", 0, 0)
    for each in (folder, kept.own):
        os.chown(each, STRANGER, STRANGER)
        with pytest.raises(CacheFolderError, match="others may write"):
            KeptKernels(folder)
        os.chown(each, 0, 0)
