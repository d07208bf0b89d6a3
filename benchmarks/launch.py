"""Run a command; print its seconds and its peak memory in megabytes as JSON.

    python -S launch.py COMMAND …

A process of its own and a lean one: Linux begins to count the memory of a process at that of the one that started it,
so what is started from a script that holds large matrices would seem to hold them too.
"""

import json
import subprocess
import sys
import time

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

begin = time.perf_counter()
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, check=False)
seconds = time.perf_counter() - begin
unit = 2**20 if sys.platform == "darwin" else 2**10
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / unit if resource else float("nan")
print(json.dumps((seconds, peak)))
sys.exit(done.returncode)
