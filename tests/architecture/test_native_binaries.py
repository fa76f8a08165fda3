"""What a native module shows to the process that loads it: one symbol, no executable stack."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import keybound._hotpath.native as native

if sys.platform != "linux":
    pytest.skip("these tests read ELF files", allow_module_level=True)

from elftools.elf.elffile import ELFFile

SHARED_OBJECTS = sorted(Path(native.__path__[0]).glob("*.so"))
if not SHARED_OBJECTS:
    pytest.skip("a pure installation has no native modules", allow_module_level=True)


@pytest.fixture(params=SHARED_OBJECTS, ids=lambda path: path.name.partition(".")[0])
def shared_object(request: pytest.FixtureRequest) -> Iterator[tuple[str, ELFFile]]:
    path: Path = request.param
    with path.open("rb") as file:
        yield path.name.partition(".")[0], ELFFile(file)


def test_only_the_init_function_is_exported(shared_object):
    """A symbol of the crypto library that is exported could be swapped for another library's."""
    name, elf = shared_object
    exported = {
        symbol.name
        for symbol in elf.get_section_by_name(".dynsym").iter_symbols()
        if symbol["st_shndx"] != "SHN_UNDEF" and symbol["st_info"]["bind"] != "STB_LOCAL"
    }
    assert exported == {f"PyInit_{name}"}


def test_no_crypto_library_is_loaded(shared_object):
    _, elf = shared_object
    needed = [tag.needed for tag in elf.get_section_by_name(".dynamic").iter_tags("DT_NEEDED")]
    assert needed
    assert not [library for library in needed if "crypto" in library or "ssl" in library]


def test_stack_is_not_executable(shared_object):
    _, elf = shared_object
    (stack,) = (segment for segment in elf.iter_segments() if segment["p_type"] == "PT_GNU_STACK")
    assert not stack["p_flags"] & 1


def test_relocations_are_read_only_and_bound_at_start(shared_object):
    _, elf = shared_object
    assert [segment for segment in elf.iter_segments() if segment["p_type"] == "PT_GNU_RELRO"]
    flags = {tag.entry.d_tag: tag.entry.d_val for tag in elf.get_section_by_name(".dynamic").iter_tags()}
    df_bind_now, df_1_now = 0x8, 0x1
    assert flags.get("DT_FLAGS", 0) & df_bind_now or flags.get("DT_FLAGS_1", 0) & df_1_now
