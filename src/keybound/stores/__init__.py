"""Shared state: which proofs were already used."""

from keybound.stores.memory import MemoryReplayStore
from keybound.stores.redis_replay import RedisReplayStore
from keybound.stores.replay import ReplayStore

__all__ = ["MemoryReplayStore", "RedisReplayStore", "ReplayStore"]
