"""What every test runs under: four fake CPU devices, no silent rank promotion, and XLA's
compilation cache.
"""

import os
import pathlib
import tempfile

os.environ.setdefault("JAX_PLATFORMS", "cpu")
if "xla_force_host_platform_device_count" not in os.environ.get("XLA_FLAGS", ""):
    os.environ["XLA_FLAGS"] = (
        os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=4"
    )
os.environ.setdefault(
    "JAX_COMPILATION_CACHE_DIR", os.path.join(tempfile.gettempdir(), "stegojax-test-xla-cache")
)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.5")

import jax  # noqa: E402
import pytest  # noqa: E402

jax.config.update("jax_numpy_rank_promotion", "raise")

COMPILED_QUICKLY = {"models", "methods", "protocols", "hiders", "security", "configs_steps_test.py"}
"""Folders and files whose tests wait for the compiler more than for what it compiles: networks that
take a few steps. Code that LLVM optimises less is the same program.
"""


@pytest.fixture
def shared() -> pathlib.Path:
    """The folder of reference images and features, where STEGOJAX_SHARED names it; the test is
    skipped elsewhere.
    """
    folder = os.environ.get("STEGOJAX_SHARED", "")
    if not folder or not os.path.isdir(folder):
        pytest.skip(
            "STEGOJAX_SHARED does not name a folder: reference images and features are absent"
        )
    return pathlib.Path(folder)


@pytest.fixture(autouse=True, scope="module")
def compiler(request):
    """Compiles networks quickly, and frees what a module's tests compiled: together they would hold
    several GiB.
    """
    quickly = bool(COMPILED_QUICKLY & set(request.path.parts)) or os.environ.get("ALLQ")=="1"
    jax.config.update("jax_disable_most_optimizations", quickly)
    yield
    jax.clear_caches()
