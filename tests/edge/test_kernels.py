"""Compiled kernels on disk: private, whole or nothing, and made by a child that nobody has to wait for."""

import json
import os
import shutil
import time
from pathlib import Path

import psutil
import pytest

from edge import kernel_cache, kernels
from edge.kernel_cache import CacheFolderError, KeptKernels
from hotpath import warm, warm_log
from hotpath._jit import COMPILES


def build(folder: Path, names: tuple[str, ...] = ("a", "b")) -> KeptKernels:
    """What a compiler leaves behind, without one."""
    kept = KeptKernels(folder)
    with kept.building() as needed:
        for name in names if needed else ():
            (kept.own / "hotpath").mkdir(exist_ok=True)
            if not (kept.own / "hotpath" / name).exists():
                (kept.own / "hotpath" / name).write_text(f"{name}'s code")
    return kept


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}


def test_the_cache_folder_is_made_for_us_alone(tmp_path: Path) -> None:
    kept = KeptKernels(tmp_path / "a" / "kernels")
    assert (tmp_path / "a" / "kernels").stat().st_mode & 0o777 == 0o700
    assert kept.own.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_folder_that_others_may_write_to_is_refused(tmp_path: Path, mode: int) -> None:
    own = KeptKernels(tmp_path).own
    own.chmod(mode)
    with pytest.raises(CacheFolderError, match="others may write"):
        KeptKernels(tmp_path)
    own.chmod(0o700)
    tmp_path.chmod(mode)
    with pytest.raises(CacheFolderError, match="others may write"):
        KeptKernels(tmp_path)


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(CacheFolderError, match="others may write"):
        KeptKernels(tmp_path)


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CacheFolderError, match="cannot keep"):
        KeptKernels(tmp_path / "file" / "kernels")


def test_what_is_whole_is_not_built_again(tmp_path: Path) -> None:
    assert build(tmp_path).are_sound()
    with KeptKernels(tmp_path).building() as needed:
        assert not needed


@pytest.mark.parametrize(
    "damage",
    [
        lambda own: (own / "hotpath" / "a").write_text("other code"),
        lambda own: (own / "hotpath" / "a").write_text(""),
        lambda own: (own / "hotpath" / "a").unlink(),
        lambda own: (own / "hotpath" / "c").write_text("a stranger"),
        lambda own: (own / "manifest.json").write_text("{"),
        lambda own: (own / "manifest.json").write_text("[]"),
        lambda own: (own / "manifest.json").unlink(),
    ],
)
def test_what_is_damaged_is_built_again(tmp_path: Path, damage) -> None:
    damage(build(tmp_path).own)
    assert not KeptKernels(tmp_path).are_sound()
    kept = build(tmp_path)
    assert kept.are_sound()
    assert {path.name: path.read_text() for path in (kept.own / "hotpath").iterdir()} == {
        "a": "a's code",
        "b": "b's code",
    }


def test_a_build_cut_short_is_no_build(tmp_path: Path) -> None:
    kept = build(tmp_path)
    (kept.own / "hotpath" / "a").unlink()

    def lose_power() -> None:
        with kept.building():
            (kept.own / "hotpath" / "a").write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        lose_power()
    assert not kept.are_sound()
    assert (build(tmp_path).own / "hotpath" / "a").read_text() == "a's code"


def test_kernels_of_another_compiler_or_processor_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build(tmp_path)
    monkeypatch.setattr(kernel_cache, "describe_compiler", lambda: "another numba, on another processor")
    assert not KeptKernels(tmp_path).are_sound()


def test_kernels_of_other_sources_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = Path(kernel_cache.hotpath.__file__).parent
    copied = shutil.copytree(sources, tmp_path / "hotpath")
    monkeypatch.setattr(kernel_cache.hotpath, "__file__", str(copied / "__init__.py"))
    build(tmp_path)
    assert KeptKernels(tmp_path).are_sound()
    record = copied / "record.py"
    before = record.stat()
    record.write_text(record.read_text().replace("e", "a"))
    os.utime(record, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert not KeptKernels(tmp_path).are_sound()


def test_kernels_of_another_checkout_of_the_same_sources_do_not_mix_with_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """numba looks for them by place and date: they would count as ours, be of no use, and each would spoil the other's."""
    copied = shutil.copytree(Path(kernel_cache.hotpath.__file__).parent, tmp_path / "hotpath")
    build(tmp_path)
    monkeypatch.setattr(kernel_cache.hotpath, "__file__", str(copied / "__init__.py"))
    assert not KeptKernels(tmp_path).are_sound()
    build(tmp_path)
    os.utime(copied / "record.py")
    assert not KeptKernels(tmp_path).are_sound()


def test_folders_that_no_version_used_for_a_month_go(tmp_path: Path) -> None:
    for name, age_days in (("old", 40), ("recent", 20)):
        (tmp_path / name).mkdir()
        then = time.time() - age_days * 86_400
        os.utime(tmp_path / name, (then, then))
    build(tmp_path)
    assert not (tmp_path / "old").exists()
    assert (tmp_path / "recent").exists()


def test_steps_are_passed_on_and_repeated_while_they_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "HEARTBEAT_S", 0.01)
    monkeypatch.setattr(
        kernels,
        "_CHILD",
        "import sys; print('step 1 2 first one', flush=True); sys.stdin = open(sys.argv[2] + '/go'); sys.stdin.read();"
        "print('a remark\\nstep 2 2 second', flush=True)",
    )
    os.mkfifo(tmp_path / "go")
    told = []

    def progress(*step: object) -> None:
        told.append(step)
        if told[-3:] == [("first one", 1, 2)] * 3 and len(told) < 1000:
            told.extend([()] * 1000)  # once
            (tmp_path / "go").write_text("")

    assert kernels.compile_in_child(tmp_path, progress, "engine") is None
    assert told[-1] == ("second", 2, 2)
    assert told.count(("first one", 1, 2)) >= 3


def test_a_child_that_fails_says_why_and_the_kernels_are_compiled_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(kernels, "_CHILD", "raise OSError('no space left')")
    compiled = []
    monkeypatch.setattr("hotpath.warm.warm_up", lambda progress, folder, group: compiled.append((folder, group)))
    kernels.prepare_kernels(tmp_path, lambda *_: None)
    assert compiled == [(None, "engine")]
    assert "OSError: no space left (exit code 1)" in caplog.text


def test_the_child_ends_when_we_are_told_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "_CHILD", "print('step 1 1 endless', flush=True)\nwhile True: pass")
    before = children()

    def stop(name: str, *_: object) -> None:
        if name == "endless":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kernels.compile_in_child(tmp_path, stop, "engine")
    assert children() == before


@pytest.mark.timeout(400)  # the first on a busy machine compiles everything
@pytest.mark.skipif(not COMPILES, reason="nothing is compiled")
def test_a_broken_kernel_is_compiled_again_and_only_that(tmp_path: Path) -> None:
    shared = kernels.cache_folder()
    kernels.prepare_kernels(shared, lambda *_: None, "logs")
    name = KeptKernels(shared, "logs").own.name
    shutil.copytree(shared / name, tmp_path / name)
    kept = KeptKernels(tmp_path, "logs")
    before = json.loads((kept.own / "manifest.json").read_bytes())
    (victim,) = kept.own.glob("hotpath_*/dedup.suppress_repeats*.nbc")
    victim.write_bytes(victim.read_bytes()[:100])
    others = {path: path.stat().st_mtime_ns for path in victim.parent.glob("csv_rows.*")}
    told = []
    kernels.prepare_kernels(tmp_path, lambda *step: told.append(step[0]), "logs")
    assert "repeats" in told
    assert kept.are_sound()
    assert set(json.loads((kept.own / "manifest.json").read_bytes())) == set(before)
    assert {path: path.stat().st_mtime_ns for path in others} == others
    told.clear()
    kernels.prepare_kernels(tmp_path, lambda *step: told.append(step[0]), "logs")
    assert told == []


@pytest.mark.timeout(400)
@pytest.mark.skipif(not COMPILES, reason="nothing is compiled")
@pytest.mark.parametrize("group", ["engine", "logs"])
def test_each_group_is_kept_whole(group: kernels.Group) -> None:
    kernels.prepare_kernels(kernels.cache_folder(), lambda *_: None, group)
    kept = KeptKernels(kernels.cache_folder(), group)
    found = {path.name.split("-")[0] for path in kept.own.rglob("*.nbc")}
    entry_points = warm.ENTRY_POINTS if group == "engine" else warm_log.ENTRY_POINTS
    assert found == {f"{each.__module__.split('.')[-1]}.{each.__name__}" for each in entry_points}
