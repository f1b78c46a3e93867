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

COMPILED_AS_SHIPPED = {"srm_test.py", "spam_test.py", "stc_test.py"}
"""Files whose tests wait for what is compiled more than for the compiler. In all others LLVM
optimises less.
"""


def choose_quick_compiler() -> None:
    """Makes XLA emit loops in its older way, which it compiles in two thirds of the time. Programs
    that tests start are compiled as a user's are.
    """
    if jax.__version_info__[:2] != (0, 10):  # XLA ends at a flag that it does not know
        return
    flags = os.environ["XLA_FLAGS"]
    os.environ["XLA_FLAGS"] = f"{flags} --xla_cpu_use_fusion_emitters=false"
    jax.devices()  # XLA reads its flags here
    os.environ["XLA_FLAGS"] = flags


choose_quick_compiler()


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
    """Compiles quickly, and frees what a module's tests compiled: together they would hold
    several GiB.
    """
    jax.config.update(
        "jax_disable_most_optimizations", request.path.name not in COMPILED_AS_SHIPPED
    )
    yield
    jax.clear_caches()
