"""The config of the security protocol, for tests: `configs` is a folder of files, not a package."""

import importlib.util
import pathlib

_path = pathlib.Path(__file__).resolve().parent.parent / "configs" / "security.py"
_spec = importlib.util.spec_from_file_location("stegojax_security_config", _path)
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)
get_config = _module.get_config
