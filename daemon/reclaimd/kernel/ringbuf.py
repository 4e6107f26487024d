# SPDX-License-Identifier: GPL-2.0-or-later
"""Ring buffers: records from BPF programs."""

import ctypes
from types import TracebackType
from typing import Self

from reclaimd.kernel import libbpf


class RingBuffer:
    """The consumer of a BPF_MAP_TYPE_RINGBUF map.

    Args:
        map_fd: the map's file descriptor; not needed any more once this is made.

    Raises:
        OSError: it is no ring buffer.
    """

    def __init__(self, map_fd: int) -> None:
        self._records: list[bytes] = []
        # libbpf holds the bare pointer, so the callback must live as long as this object.
        self._callback = libbpf.RING_BUFFER_SAMPLE_FN(self._keep)
        self._pointer = libbpf.ring_buffer__new(map_fd, self._callback, None, None)

    def fileno(self) -> int:
        """A descriptor that polls readable while records wait."""
        return libbpf.ring_buffer__epoll_fd(self._pointer)

    def consume(self) -> list[bytes]:
        """Take all waiting records, oldest first; never blocks."""
        libbpf.ring_buffer__consume(self._pointer)
        records = self._records[:]
        self._records.clear()
        return records

    def close(self) -> None:
        """Free the consumer; idempotent."""
        if self._pointer:
            libbpf.ring_buffer__free(self._pointer)
            self._pointer = libbpf.RingBufferPtr()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _keep(self, _context: int | None, record: int, size_bytes: int) -> int:
        self._records.append(ctypes.string_at(record, size_bytes))
        return 0
