"""One search, in a process of its own: `python -m tests.fuzz.child TARGET [libFuzzer options] CORPUS`; never returns.

What is searched must be imported here and nowhere before, because only then does the fuzzer see which way it goes.
"""

import importlib
import os
import sys

import atheris


def main() -> None:
    atheris.enabled_hooks.add("str")  # it then sees what text is looked for; the hook for patterns knows no `pos`
    os.environ["NUMBA_DISABLE_JIT"] = "1"  # what is compiled, no fuzzer can see into
    is_bus = sys.argv[1].startswith(("mqtt.", "bus."))
    with atheris.instrument_imports(include=["broker_config", "amqtt"] if is_bus else ["readers", "hotpath"]):
        from readers.capture import PROTOCOLS
        from tests.fuzz.targets import TARGETS

        device = sys.argv[1].partition(".")[0]
        if device in PROTOCOLS:
            importlib.import_module(PROTOCOLS[device])
    atheris.Setup([sys.argv[0], *sys.argv[2:]], TARGETS[sys.argv[1]])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
