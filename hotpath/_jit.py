"""The only door to numba: how a plain function becomes a kernel, and where compiled kernels are kept."""

import functools
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import llvmlite
import numba
import numpy as np
from llvmlite import binding, ir
from numba.core import cgutils, types
from numba.extending import intrinsic

Function = TypeVar("Function", bound=Callable[..., Any])


COMPILES = not numba.config.DISABLE_JIT
"""False with NUMBA_DISABLE_JIT=1: kernels then stay Python."""


def entry_kernel(function: Function) -> Function:
    """The function compiled at its first call, without the interpreter lock; no fastmath, so results are the interpreter's.

    It may not allocate: without reference counting an array argument costs nothing to pass on.
    With NUMBA_DISABLE_JIT=1 it stays Python; the wrapping of 64-bit hash arithmetic, meant here, is then not warned of.
    """
    return _compile(function)


def kernel(function: Function) -> Function:
    """A kernel that only kernels call: the code that would take Python's arguments apart is a third of the compile time."""
    return _compile(function, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def hot_kernel(function: Function) -> Function:
    """A kernel that becomes part of its caller's code: for what runs at every read, since a call copies all of `State`."""
    return _compile(function, no_cpython_wrapper=True, no_cfunc_wrapper=True, forceinline=True)


def _compile(function: Function, **options: bool) -> Function:
    if numba.config.DISABLE_JIT:

        @functools.wraps(function)
        def plain(*arguments: Any) -> Any:  # noqa: ANN401 - a decorator passes on what it is given
            with np.errstate(over="ignore"):
                return function(*arguments)

        return plain  # type: ignore[return-value]
    compiled: Function = numba.njit(nogil=True, _nrt=False, **options)(function)
    return compiled


def _prefetch(_typing_context: Any, array: Any, index: Any) -> Any:  # noqa: ANN401 - numba's types
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ANN401 - llvmlite's
        view = context.make_array(signature.args[0])(context, builder, arguments[0])
        byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        index = context.cast(builder, arguments[1], signature.args[1], types.intp)
        stride = builder.extract_value(view.strides, 0)
        address = builder.gep(builder.bitcast(view.data, byte), [builder.mul(index, stride)])
        hint = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(ir.VoidType(), [byte, word, word, word]), "llvm.prefetch.p0i8"
        )
        builder.call(hint, [address, word(0), word(3), word(1)])
        return context.get_dummy_value()

    return types.void(array, index), generate


def _no_prefetch(array: Any, index: int) -> None:  # noqa: ANN401
    """What a prefetch is to an interpreter."""


prefetch: Callable[[Any, int], None] = _no_prefetch if numba.config.DISABLE_JIT else intrinsic(_prefetch)
"""Hint, in a kernel, that `array[index]` (of its first axis; the cache line it begins in) will be wanted soon.

An index out of range is harmless.  Source: LLVM language reference, llvm.prefetch (read, high locality, data).
"""


def _load_word(_typing_context: Any, array: Any, index: Any) -> Any:  # noqa: ANN401 - numba's types
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ANN401 - llvmlite's
        view = context.make_array(signature.args[0])(context, builder, arguments[0])
        index = context.cast(builder, arguments[1], signature.args[1], types.intp)
        address = builder.gep(builder.bitcast(view.data, ir.IntType(8).as_pointer()), [index])
        return builder.load(builder.bitcast(address, ir.IntType(64).as_pointer()), align=1)

    return types.uint64(array, index), generate


def _load_bytes(array: Any, index: int) -> np.uint64:  # noqa: ANN401
    """What a load is to an interpreter."""
    return np.uint64(int.from_bytes(array[index : index + 8].tobytes(), "little"))


load_word: Callable[[Any, int], np.uint64] = _load_bytes if numba.config.DISABLE_JIT else intrinsic(_load_word)
"""The eight bytes of a uint8 array from `array[index]` on as a little-endian word, in a kernel.

One load instead of eight, at any alignment.  Nobody checks that all eight are inside.
"""


def bind(function: Function, *examples: object) -> Function:
    """The machine code for arguments of the types of these, compiled if need be.

    A call of it takes a sixth of the time, because nobody looks what types the arguments have: the caller answers for that.
    """
    if numba.config.DISABLE_JIT:
        return function
    types_of = tuple(numba.typeof(each) for each in examples)
    function.compile(types_of)  # type: ignore[attr-defined]  # a numba dispatcher
    bound: Function = function.get_overload(types_of)  # type: ignore[attr-defined]
    return bound


def keep_compiled(kernels: Iterable[Callable[..., Any]], folder: Path) -> None:
    """From now on load these kernels from `folder` where they are there, and leave them there once compiled.

    The folder must be ours alone, and hold nothing of other sources: see `edge.kernel_cache`.
    """
    if numba.config.DISABLE_JIT:
        return
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(folder)
    try:
        for each in kernels:
            each.enable_caching()  # type: ignore[attr-defined]  # a numba dispatcher; it reads CACHE_DIR now
    finally:
        numba.config.CACHE_DIR = before


def stop_keeping(kernels: Iterable[Callable[..., Any]]) -> None:
    """Leave the folder alone from now on: what is compiled for types that nobody foresaw is for this process only."""
    if not numba.config.DISABLE_JIT:
        for each in kernels:
            each._cache.disable()  # type: ignore[attr-defined]  # noqa: SLF001 - numba offers no other way


def describe_compiler() -> str:
    """All that machine code depends on beside its sources: versions, and the processor it is made for."""
    versions = numba.__version__, llvmlite.__version__, np.__version__, sys.version
    processor = binding.get_host_cpu_name(), binding.get_host_cpu_features().flatten()
    return repr((versions, processor, numba.config.CPU_NAME, numba.config.CPU_FEATURES))
