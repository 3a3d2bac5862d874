"""Records what Python's own `sqlite3` asks of the disk, below unchanged code: real files, real locks, real syncs.

A second VFS is registered in the very SQLite library that the module `sqlite3` uses, and made the default while a
recording runs.  It is SQLite's own VFS for Unix with five of its functions noted down on their way: so what is tested is
our code as it is, through aiosqlite or SQLAlchemy or not, with the SQLite it will run with.  (apsw brings another SQLite
of its own; a loadable extension needs a Python built for it and a compiler.)

Source: SQLite, "The OS Backend (VFS) To SQLite"; sqlite3.h, `sqlite3_vfs` and `sqlite3_io_methods`, which only ever grow
at their ends.
"""

import _sqlite3
import ctypes
import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_int, c_int64, c_void_p
from pathlib import Path

from simulators.faults.disk import Op, Tape

OK = 0


class CannotRecordError(RuntimeError):
    """This Python keeps its SQLite out of reach."""


_Open = CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p, c_int, c_void_p)
_Delete = CFUNCTYPE(c_int, c_void_p, c_char_p, c_int)
_Write = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)
_Truncate = CFUNCTYPE(c_int, c_void_p, c_int64)
_Sync = CFUNCTYPE(c_int, c_void_p, c_int)


class _Vfs(ctypes.Structure):
    _fields_ = [
        ("iVersion", c_int),
        ("szOsFile", c_int),
        ("mxPathname", c_int),
        ("pNext", c_void_p),
        ("zName", c_char_p),
        ("pAppData", c_void_p),
        ("xOpen", _Open),
        ("xDelete", _Delete),
        ("others", c_void_p * 13),
    ]


class _Methods(ctypes.Structure):
    _fields_ = [
        ("iVersion", c_int),
        ("xClose", c_void_p),
        ("xRead", c_void_p),
        ("xWrite", _Write),
        ("xTruncate", _Truncate),
        ("xSync", _Sync),
        ("others", c_void_p * 13),
    ]


@contextmanager
def recording(folder: Path) -> Iterator[Tape]:
    """A tape of all that is asked of the databases directly in `folder`, opened while the block runs.

    Raises:
        CannotRecordError: SQLite is built into this Python in a way that hides it.
    """
    folder = folder.resolve()
    tape = Tape({path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()})
    recorder = _recorder()
    recorder.tapes[folder] = tape
    recorder.be_default(True)
    try:
        yield tape
    finally:
        del recorder.tapes[folder]
        recorder.be_default(bool(recorder.tapes))


def check_recording() -> None:
    """Whether it can be done here.

    Raises:
        CannotRecordError: SQLite is built into this Python in a way that hides it.
    """
    _recorder()


@functools.cache
def _recorder() -> "_Recorder":
    """One for the process, never let go: a connection left open would call into freed memory."""
    return _Recorder(_sqlite())


def _sqlite() -> ctypes.CDLL:
    """The library that `sqlite3` itself uses: what its extension module was linked with, or holds."""
    library = ctypes.CDLL(getattr(_sqlite3, "__file__", None))
    try:
        library.sqlite3_vfs_find.restype = POINTER(_Vfs)
        library.sqlite3_vfs_find.argtypes = [c_char_p]
        library.sqlite3_vfs_register.argtypes = [POINTER(_Vfs), c_int]
    except AttributeError as error:
        raise CannotRecordError(
            "this Python hides its SQLite: use one whose sqlite3 is linked with libsqlite3, such as the system's"
        ) from error
    return library


class _Recorder:
    """SQLite's default VFS with notes taken."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self.tapes: dict[Path, Tape] = {}
        self._library = library
        self._real = library.sqlite3_vfs_find(None)
        self._files: dict[int, tuple[Tape, str]] = {}  # by the address of SQLite's file object
        self._methods: dict[int, tuple[_Methods, tuple[object, ...]]] = {}  # by the address of the original's
        self._vfs = _Vfs()
        ctypes.memmove(ctypes.byref(self._vfs), self._real, ctypes.sizeof(_Vfs))
        self._vfs.pNext = None
        self._vfs.zName = b"power-cut-tape"
        self._vfs.xOpen, self._vfs.xDelete = _Open(self._open), _Delete(self._delete)
        library.sqlite3_vfs_register(ctypes.byref(self._vfs), 0)

    def be_default(self, on: bool) -> None:
        """Whether connections opened from now on come through here."""
        self._library.sqlite3_vfs_register(ctypes.byref(self._vfs) if on else self._real, 1)

    def _place(self, name: bytes) -> tuple[Tape, str] | None:
        path = Path(name.decode())
        tape = self.tapes.get(path.parent)
        return None if tape is None else (tape, path.name)

    def _open(self, vfs: int, name: int | None, file: int, flags: int, out_flags: int | None) -> int:
        result = int(self._real.contents.xOpen(vfs, name, file, flags, out_flags))
        place = None if name is None else self._place(ctypes.string_at(name))
        if result == OK and place is not None:
            place[0].ops.append(Op("open", place[1]))
            self._files[file] = place
            methods = ctypes.cast(file, POINTER(c_void_p))
            methods[0] = ctypes.addressof(self._noting(methods[0]))
        return result

    def _delete(self, vfs: int, name: bytes, sync_folder: int) -> int:
        result = int(self._real.contents.xDelete(vfs, name, sync_folder))
        place = self._place(name)
        if result == OK and place is not None:
            place[0].ops.append(Op("delete", place[1], int(sync_folder != 0)))
        return result

    def _noting(self, address: int) -> _Methods:
        """The file methods at `address` with those that change the disk replaced, made once."""
        if address not in self._methods:
            real = _Methods.from_address(address)
            noting = _Methods()
            ctypes.memmove(ctypes.byref(noting), address, _size_of(real))
            noting.xWrite = write = _Write(self._write_over(real.xWrite))
            noting.xTruncate = truncate = _Truncate(self._truncate_over(real.xTruncate))
            noting.xSync = sync = _Sync(self._sync_over(real.xSync))
            self._methods[address] = noting, (write, truncate, sync)
        return self._methods[address][0]

    def _write_over(self, real: Callable[..., int]) -> Callable[[int, int, int, int], int]:
        def write(file: int, data: int, size: int, at: int) -> int:
            tape, name = self._files[file]
            tape.ops.append(Op("write", name, at, ctypes.string_at(data, size)))
            return int(real(file, data, size, at))

        return write

    def _truncate_over(self, real: Callable[..., int]) -> Callable[[int, int], int]:
        def truncate(file: int, size: int) -> int:
            tape, name = self._files[file]
            tape.ops.append(Op("truncate", name, size))
            return int(real(file, size))

        return truncate

    def _sync_over(self, real: Callable[..., int]) -> Callable[[int, int], int]:
        def sync(file: int, flags: int) -> int:
            tape, name = self._files[file]
            result = int(real(file, flags))
            if result == OK:
                tape.ops.append(Op("sync", name))
            return result

        return sync


def _size_of(methods: _Methods) -> int:
    """How much of the struct this version fills: three more pointers since version 3, four since version 2."""
    missing = {1: 6, 2: 2}.get(methods.iVersion, 0)
    return ctypes.sizeof(_Methods) - missing * ctypes.sizeof(c_void_p)
