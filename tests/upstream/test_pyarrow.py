"""How pyarrow looks for pandas."""

from __future__ import annotations

import os
import subprocess
import sys

from conftest import ROOT


def test_pyarrow_can_be_told_that_there_is_no_pandas():
    code = "import sys; from gat_batch.upstream.pyarrow import keep_pandas_out; keep_pandas_out()"
    asked = "import pyarrow as pa; table = pa.table({'a': pa.array(['x'])})"
    later = "import pandas; pandas.DataFrame({'a': [1]})"
    run = subprocess.run(
        [sys.executable, "-c", f"{code}; {asked}; print('pandas' in sys.modules); {later}"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "scripts")},
        capture_output=True,
        text=True,
        check=False,
    )
    told = "pyarrow asks for pandas in another way: summaries take longer to start"
    assert run.stdout == "False\n", told + run.stderr
    assert run.returncode == 0, run.stderr
