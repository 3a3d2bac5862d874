"""Which machine code is kept."""

from pathlib import Path

import numpy as np
import pytest

from hotpath._jit import COMPILES, entry_kernel, keep_compiled, stop_keeping


@pytest.mark.skipif(not COMPILES, reason="nothing is compiled")
def test_what_is_compiled_after_the_warm_up_is_not_kept(tmp_path: Path) -> None:
    @entry_kernel
    def total(values: np.ndarray) -> float:
        found = 0
        for value in values:
            found += value
        return found

    keep_compiled([total], tmp_path)
    assert total(np.ones(3, np.int64)) == 3
    kept = sorted(tmp_path.rglob("*.nb?"))
    assert len(kept) == 2
    stop_keeping([total])
    assert total(np.ones(3, np.int32)) == 3
    assert sorted(tmp_path.rglob("*.nb?")) == kept
