"""A stop is heard even where Python is called from C, which drops what is raised."""

import signal
import subprocess
import sys

import pytest

CODE = """
import ctypes, os, signal, sys, time
from vitreous.pipeline import stops

stops.listen()
source = '''
def _raw_object_cache_notify(number):
    os.kill(os.getpid(), number)
    time.sleep(0.02)
    print("the callback ended")
    return 0
'''
scope = {"os": os, "time": time}
exec(compile(source, "/x/llvmlite/binding/executionengine.py", "exec"), scope)
callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(scope["_raw_object_cache_notify"])
try:
    callback(int(sys.argv[1]))
    time.sleep(5)
    print("not heard")
except KeyboardInterrupt as stop:
    print(type(stop).__name__)
"""


@pytest.mark.parametrize(
    ("number", "raised"), [(signal.SIGINT, "KeyboardInterrupt"), (signal.SIGTERM, "Terminated")]
)
def test_a_stop_while_compiled_kernels_are_kept_is_heard_after(number, raised):
    command = [sys.executable, "-c", CODE, str(int(number))]

    ended = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)

    assert ended.stdout.splitlines() == ["the callback ended", raised]
    assert "Traceback" not in ended.stderr
