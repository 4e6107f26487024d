# SPDX-License-Identifier: GPL-2.0-or-later
"""A BPF object file: opened, adjusted, loaded, closed."""

import ctypes
import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from reclaimd.kernel import libbpf, log
from reclaimd.kernel.btf import Btf
from reclaimd.kernel.maps import BpfMap, GlobalData
from reclaimd.kernel.prog import BpfProgram

C = TypeVar("C", bound=libbpf.CData)

#: How much of libbpf's log an error carries: the verifier's verdict is at the end.
LOG_TAIL_LINES = 20
#: What libbpf and the verifier say after they have said what is wrong.
_AFTERWORDS = re.compile(
    r"processed \d+ insns|-- END PROG LOAD LOG --|libbpf: (prog '.*': failed to load|failed to load object)"
)


class BpfObjectError(OSError):
    """An object could not be opened or loaded.

    Attributes:
        log: what libbpf, and through it the verifier, said last; empty if it said nothing.
        verdict: the one line of it that says what is wrong; otherwise the error number in words.
    """

    log: str
    verdict: str

    def __init__(self, cause: OSError, path: Path, lines: list[str]) -> None:
        super().__init__(cause.errno, _in_words(cause.errno or 0), os.fspath(path))
        self.log = "\n".join(lines[-LOG_TAIL_LINES:])
        telling = [line for line in lines if line.strip() and not _AFTERWORDS.match(line)]
        self.verdict = telling[-1].removeprefix("libbpf: ").strip() if telling else str(self.strerror)
        if self.log:
            self.add_note(self.log)


def _in_words(error: int) -> str:
    # Beyond the kernel's, libbpf has error numbers of its own, for what is wrong with a file.
    text = ctypes.create_string_buffer(128)
    libbpf.libbpf_strerror(error, text, len(text))
    return text.value.decode(errors="replace")


class BpfObject:
    """An object file's maps and programs.

    A context manager: leaving it closes the object, which ends whatever is neither linked nor
    pinned. Maps, programs and variables taken from it must not be used after that.
    """

    def __init__(self, pointer: libbpf.ObjectPtr, path: Path) -> None:
        self._pointer = pointer
        self._data: dict[str, GlobalData] = {}
        self.path = path
        self.loaded = False
        self.maps = {bpf_map.name: bpf_map for bpf_map in self._iterate_maps()}
        self.programs = {program.name: program for program in self._iterate_programs()}

    @classmethod
    def open(cls, path: Path) -> Self:
        """Parse an object file.

        Raises:
            BpfObjectError: it cannot be read, or is no BPF object.
        """
        with log.captured() as lines:
            try:
                pointer = libbpf.bpf_object__open_file(os.fsencode(path), None)
            except OSError as error:
                raise BpfObjectError(error, path, lines) from error
        return cls(pointer, path)

    def load(self) -> None:
        """Create the maps and load the programs.

        Raises:
            BpfObjectError: the kernel refused something; its log ends with why.
        """
        with log.captured() as lines:
            try:
                libbpf.bpf_object__load(self._pointer)
            except OSError as error:
                raise BpfObjectError(error, self.path, lines) from error
        # What was written before is in the kernel's maps now, and changes there from here on.
        self._data.clear()
        self.loaded = True

    def map(self, name: str) -> BpfMap:
        """The map with this name in the C source.

        Raises:
            KeyError: there is none.
        """
        return self.maps[name]

    def program(self, name: str) -> BpfProgram:
        """The program with this C function name.

        Raises:
            KeyError: there is none.
        """
        return self.programs[name]

    def btf(self) -> Btf:
        """The object's own BTF.

        Raises:
            OSError: ENOENT: it was compiled without.
        """
        pointer = libbpf.bpf_object__btf(self._pointer)
        if not pointer:
            raise FileNotFoundError(errno.ENOENT, "the object has no BTF", os.fspath(self.path))
        return Btf(pointer, owner=self)

    def variable(self, name: str, c_type: type[C]) -> C:
        """A global variable, to be read and written in place.

        Before the object is loaded this is its initial value; afterwards it is the value that
        running programs see, except for constants (.rodata), which cannot be had any more.

        Raises:
            KeyError: there is no such variable.
            TypeError: it has another size than c_type.
        """
        var = self.btf().variable(name)
        if var.size_bytes != ctypes.sizeof(c_type):
            raise TypeError(f"{name} has {var.size_bytes} bytes, {c_type.__name__} {ctypes.sizeof(c_type)}")
        return self._global_data(var.section).at(var.offset_bytes, c_type)

    def close(self) -> None:
        """Free everything; idempotent."""
        if self._pointer:
            self._data.clear()
            libbpf.bpf_object__close(self._pointer)
            self._pointer = libbpf.ObjectPtr()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _global_data(self, section: str) -> GlobalData:
        if section not in self._data:
            # libbpf prefixes the map's name with the object's, and may cut both short.
            bpf_map = next(m for m in self.maps.values() if m.name.endswith(section))
            self._data[section] = bpf_map.mapped_data() if self.loaded else bpf_map.initial_data()
        return self._data[section]

    def _iterate_maps(self) -> Iterator[BpfMap]:
        pointer = libbpf.MapPtr()
        while pointer := libbpf.bpf_object__next_map(self._pointer, pointer):
            yield BpfMap(pointer)

    def _iterate_programs(self) -> Iterator[BpfProgram]:
        pointer = libbpf.ProgramPtr()
        while pointer := libbpf.bpf_object__next_program(self._pointer, pointer):
            yield BpfProgram(pointer)
