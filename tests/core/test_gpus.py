"""What a host reports of its GPUs, and what is made of it."""

from pathlib import Path

import pytest

from core.errors import Misconfigured
from core.gpus import Gpu, HostGpus, choose, host_gpus
from tests.gpus import H100S, path_with_listing

DIVIDED = """\
GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-5d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77)
  MIG 3g.20gb     Device  0: (UUID: MIG-c6d4f1ef-42e4-5de3-91c7-45d71c87eb3f)
  MIG 3g.20gb     Device  1: (UUID: MIG-cba663e8-9bed-5b25-b243-5985ef7c9beb)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-aa0b7e2c-d33d-2b2c-524d-9e3d8d2b8a78)
"""
BROKEN = (
    "NVIDIA-SMI has failed because it couldn\u2019t communicate with the NVIDIA driver. Make sure that the"
    " latest NVIDIA driver is installed and running.\n"
)


def host(tmp_path: Path, prints: str | None, *, status: int = 0, visible: str | None = None) -> HostGpus:
    """A host whose root is an empty folder unless the test has put something there."""
    path = str(tmp_path / "bin")
    if prints is not None:
        path_with_listing(tmp_path / "bin", prints, status=status)
    environment = {"PATH": path} | ({} if visible is None else {"CUDA_VISIBLE_DEVICES": visible})
    return host_gpus(environment, root=tmp_path / "root")


def put(tmp_path: Path, name: str, text: str) -> None:
    file = tmp_path / "root" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def indices(found: list[Gpu | None]) -> list[str | None]:
    return [None if gpu is None else gpu.index for gpu in found]


def test_a_host_without_any_trace_of_a_gpu_scores_on_its_cpu(tmp_path: Path) -> None:
    put(tmp_path, "sys/bus/pci/devices/0000:00:02.0/vendor", "0x8086\n")
    put(tmp_path, "sys/bus/pci/devices/0000:00:02.0/class", "0x030000\n")
    found = host(tmp_path, None)
    assert found == HostGpus()
    assert choose(None, found, allow_cpu=False) == [None]


def test_the_first_gpu_is_taken_unless_others_are_named(tmp_path: Path) -> None:
    found = host(tmp_path, H100S)
    assert [gpu.index for gpu in found.gpus] == ["0", "1", "2"]
    assert str(found.gpus[1]) == "gpu1 (NVIDIA H100 80GB HBM3)"
    assert found.gpus[1].uuid == "GPU-0b1c2d3e-1b2d-4c5e-9f00-1f2e3d4c5b61"
    assert indices(choose(None, found, allow_cpu=False)) == ["0"]
    assert indices(choose("all", found, allow_cpu=False)) == ["0", "1", "2"]
    assert indices(choose("2,0,2", found, allow_cpu=False)) == ["2", "0"]


def test_an_index_that_does_not_exist_is_refused_even_where_the_cpu_is_allowed(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"GPU 3 was asked for, .* gpu0 \(.*gpu1 \(.*gpu2 \("):
        choose("0,3", host(tmp_path, H100S), allow_cpu=True)


def test_the_parts_of_a_divided_gpu_are_devices_of_their_own(tmp_path: Path) -> None:
    found = host(tmp_path, DIVIDED)
    assert [gpu.index for gpu in found.gpus] == ["0.0", "0.1", "1"]
    assert found.gpus[1] == Gpu(
        "0.1", "MIG-cba663e8-9bed-5b25-b243-5985ef7c9beb", "NVIDIA A100-SXM4-40GB 3g.20gb"
    )
    assert indices(choose("0", found, allow_cpu=False)) == ["0.0", "0.1"]
    assert indices(choose("0.1,1", found, allow_cpu=False)) == ["0.1", "1"]


def test_without_the_program_the_drivers_own_list_is_read(tmp_path: Path) -> None:
    for n, address in enumerate(("0000:17:00.0", "0000:65:00.0")):
        told = {"Model": "NVIDIA L4", "IRQ": "16", "GPU UUID": f"GPU-{n}-a", "Device Minor": str(n)}
        lines = "".join(f"{key}: \t\t {value}\n" for key, value in told.items())
        put(tmp_path, f"proc/driver/nvidia/gpus/{address}/information", lines)
    found = host(tmp_path, None)
    assert found.gpus == (Gpu("0", "GPU-0-a", "NVIDIA L4"), Gpu("1", "GPU-1-a", "NVIDIA L4"))


@pytest.mark.parametrize(
    "trace", ["dev/nvidia0", "sys/bus/pci/devices/0000:65:00.0/vendor"], ids=["device file", "PCI"]
)
def test_a_gpu_whose_driver_is_broken_is_no_host_without_a_gpu(tmp_path: Path, trace: str) -> None:
    put(tmp_path, trace, "0x10de\n")
    put(tmp_path, "sys/bus/pci/devices/0000:65:00.0/class", "0x030200\n")
    put(tmp_path, "sys/bus/pci/devices/0000:65:00.0/vendor", "0x10de\n")
    found = host(tmp_path, BROKEN, status=9)
    with pytest.raises(Misconfigured, match=r"has an NVIDIA device \(.*NVIDIA-SMI has failed .* --allow-cpu"):
        choose(None, found, allow_cpu=False)
    assert choose(None, found, allow_cpu=True) == [None]


def test_gpus_that_were_asked_for_and_are_not_there_are_refused_unless_the_cpu_is_allowed(
    tmp_path: Path,
) -> None:
    found = host(tmp_path, "No devices were found\n", status=6)
    assert choose(None, found, allow_cpu=False) == [None]
    with pytest.raises(Misconfigured, match=r"GPUs all were asked for: .* no NVIDIA GPU .*No devices were"):
        choose("all", found, allow_cpu=False)
    assert choose("0,2", found, allow_cpu=True) == [None]


def test_the_environment_narrows_the_choice_and_an_empty_one_hides_all(tmp_path: Path) -> None:
    found = host(tmp_path, H100S, visible="2,GPU-0b1c")
    assert indices(choose("all", found, allow_cpu=False)) == ["1", "2"]
    with pytest.raises(Misconfigured, match="GPU 0 was asked for"):
        choose("0", found, allow_cpu=False)
    hidden = host(tmp_path, H100S, visible="")
    assert choose(None, hidden, allow_cpu=False) == [None]
    with pytest.raises(Misconfigured, match="CUDA_VISIBLE_DEVICES hides all GPUs"):
        choose("all", hidden, allow_cpu=False)
    with pytest.raises(Misconfigured, match="CUDA_VISIBLE_DEVICES is '7', which names none of gpu0"):
        choose(None, host(tmp_path, H100S, visible="7"), allow_cpu=False)
