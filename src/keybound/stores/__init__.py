"""Shared state: which proofs were used, which tokens were revoked, and what issuers publish."""

from keybound.stores.memory import MemoryReplayStore
from keybound.stores.memory_revocation import MemoryRevocationList
from keybound.stores.redis_documents import RedisDocuments
from keybound.stores.redis_replay import RedisReplayStore
from keybound.stores.redis_revocation import RedisRevocationList
from keybound.stores.replay import ReplayStore
from keybound.stores.revocation import RevocationList

__all__ = [
    "MemoryReplayStore",
    "MemoryRevocationList",
    "RedisDocuments",
    "RedisReplayStore",
    "RedisRevocationList",
    "ReplayStore",
    "RevocationList",
]
