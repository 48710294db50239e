"""A cache that forgets what was used longest ago, bounded by the bytes of what it holds."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class BoundedCache(Generic[Value]):
    """``size_of`` gives the bytes of a value. A value greater than the bound is made but not kept."""

    def __init__(self, most_bytes: int, size_of: Callable[[Value], int]) -> None:
        self._most_bytes = most_bytes
        self._size_of = size_of
        self._held: OrderedDict[Hashable, Value] = OrderedDict()
        self._bytes = 0

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """The value of a key, made where it is not held."""
        if key in self._held:
            self._held.move_to_end(key)
            return self._held[key]
        value = make()
        size = self._size_of(value)
        if size <= self._most_bytes:
            self._held[key] = value
            self._bytes += size
            while self._bytes > self._most_bytes:
                _, oldest = self._held.popitem(last=False)
                self._bytes -= self._size_of(oldest)
        return value

    @property
    def held_bytes(self) -> int:
        return self._bytes
