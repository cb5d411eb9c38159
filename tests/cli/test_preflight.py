from dataclasses import replace
from pathlib import Path

import pytest

from cli.preflight import GB, Fault, Machine, faults, main, needs_mongod, observe

GOOD = Machine(
    root=Path("/home/me/deep asteroids"),
    python=(3, 11),
    python_name="python3.11",
    has_venv=True,
    environment_made=False,
    root_writable=True,
    needs_mongod=True,
    missing_libraries=(),
    disk_free=50 * GB,
    memory_available=8 * GB,
    architecture="x86_64",
    cpu_flags=frozenset({"avx", "avx2"}),
    glibc=(2, 36),
    distribution="debian",
    distribution_version=12.0,
    is_root=False,
)


def only(machine: Machine) -> Fault:
    (fault,) = faults(machine)
    return fault


def test_a_good_machine_has_no_fault() -> None:
    assert faults(GOOD) == []


@pytest.mark.parametrize(
    ("python_name", "is_root", "cure"),
    [
        ("python3.11", False, "sudo apt-get install python3.11-venv"),
        ("python3", False, "sudo apt-get install python3-venv"),
        ("python3", True, "apt-get install python3-venv"),
    ],
)
def test_a_missing_venv_module_names_the_package_of_that_python(
    python_name: str, is_root: bool, cure: str
) -> None:
    assert only(replace(GOOD, has_venv=False, python_name=python_name, is_root=is_root)).cure == cure


def test_venv_is_not_needed_once_the_environment_is_made() -> None:
    assert faults(replace(GOOD, has_venv=False, environment_made=True)) == []


@pytest.mark.parametrize(
    ("version", "distribution", "release", "cure"),
    [
        ((3, 10), "debian", 12.0, "sudo apt-get install python3 python3-venv"),
        ((3, 10), "ubuntu", 22.04, "DA_PYTHON=/path/to/python3.12"),
        ((3, 14), "debian", 14.0, "DA_PYTHON=/path/to/python3.12"),
    ],
)
def test_an_unsupported_python_is_named_with_a_cure_that_works_there(
    version: tuple[int, int], distribution: str, release: float, cure: str
) -> None:
    machine = replace(GOOD, python=version, distribution=distribution, distribution_version=release)
    assert only(machine).cure.startswith(cure)
    assert "Python 3.11, 3.12 or 3.13 is needed" in only(machine).what


@pytest.mark.parametrize(
    ("distribution", "release", "package"),
    [("debian", 12.0, "libcurl4"), ("debian", 13.0, "libcurl4t64"), ("ubuntu", 24.04, "libcurl4t64")],
)
def test_a_missing_library_names_the_package_of_that_release(
    distribution: str, release: float, package: str
) -> None:
    missing = {"missing_libraries": ("libcurl.so.4",), "distribution": distribution}
    fault = only(replace(GOOD, **missing, distribution_version=release))  # type: ignore[arg-type]
    assert fault.cure == f"sudo apt-get install {package}"


def test_two_libraries_of_one_package_are_one_fault() -> None:
    assert len(faults(replace(GOOD, missing_libraries=("libssl.so.3", "libcrypto.so.3")))) == 1


def test_mongods_libraries_are_not_needed_where_another_mongod_is_used() -> None:
    assert faults(replace(GOOD, needs_mongod=False, missing_libraries=("libcurl.so.4",), glibc=(0, 0))) == []


def test_an_old_c_library_is_cured_by_a_server_elsewhere() -> None:
    assert "DA_MONGO_URL" in only(replace(GOOD, glibc=(2, 31))).cure


@pytest.mark.parametrize(
    ("made", "free", "well"), [(False, 3.9, False), (True, 3.9, True), (True, 0.9, False)]
)
def test_disk_is_needed_for_the_installation_and_then_less(made: bool, free: float, well: bool) -> None:
    machine = replace(GOOD, environment_made=made, disk_free=int(free * GB))
    assert (faults(machine) == []) == well


def test_a_read_only_tree_is_copied() -> None:
    assert only(replace(GOOD, root_writable=False)).cure.startswith("cp -r '/home/me/deep asteroids' ")


def test_memory_and_avx2_are_warnings_and_another_architecture_is_a_fault() -> None:
    assert only(replace(GOOD, memory_available=2 * GB)).is_warning
    assert only(replace(GOOD, cpu_flags=frozenset({"avx"}))).is_warning
    assert not only(replace(GOOD, architecture="aarch64")).is_warning


def test_all_faults_are_told_at_once_and_warnings_last() -> None:
    machine = replace(
        GOOD, has_venv=False, missing_libraries=("libcurl.so.4",), disk_free=GB, memory_available=GB
    )
    found = faults(machine)
    assert [fault.is_warning for fault in found] == [False, False, False, True]
    assert [package for fault in found for package in fault.packages] == ["python3.11-venv", "libcurl4"]


def test_mongod_is_needed_unless_a_url_is_set_or_one_is_on_path(tmp_path: Path) -> None:
    nowhere = {"PATH": str(tmp_path)}
    assert needs_mongod(tmp_path, nowhere)
    assert not needs_mongod(tmp_path, {**nowhere, "DA_MONGO_URL": "mongodb://there/"})
    (tmp_path / "config.json").write_text('{"mongo_url": "mongodb://there/"}')
    assert not needs_mongod(tmp_path, nowhere)
    (tmp_path / "config.json").write_text("not json")
    assert needs_mongod(tmp_path, nowhere)
    (tmp_path / "mongod").write_text("")
    (tmp_path / "mongod").chmod(0o755)
    assert not needs_mongod(tmp_path, nowhere)


def test_this_machine_can_be_observed_and_is_told_on_standard_error_only(
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = Path(__file__).resolve().parents[2]
    assert observe(root).python >= (3, 11)
    assert main(root) in (0, 1)
    assert capsys.readouterr().out == ""
