"""The ways to reach a server: TLS, clusters, sentinels, and a store behind a validator."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import keybound
from keybound.errors import Reason, Unavailable
from keybound.stores import RedisReplayStore, RedisRevocationList, ReplayStore
from keybound.testing import CertificateAuthority, FakeClock, FakeIssuer, make_token

NOW = 1_750_000_000.0
LATER = NOW + 1000


def put(store: ReplayStore, jti: str, principal: str = "client-1", *, now: float = LATER) -> bool:
    return store.put("dpop_proof", principal, jti, expires_at=now + 60, now=now, issued_at=now)


def until(true: Callable[[], Any]) -> Any:
    """Ask until the answer is true; the servers take their time among themselves."""
    while not (answer := true()):
        pass
    return answer


class TestTLS:
    """Debian's Redis speaks TLS; the Valkey of the Python package does not."""

    @pytest.fixture
    def authority(self) -> CertificateAuthority:
        return CertificateAuthority()

    @pytest.fixture
    def files(self, authority: CertificateAuthority, tmp_path: Path) -> dict[str, Path]:
        server, client = authority.issue_server("127.0.0.1"), authority.issue_client("gateway")
        contents = {
            "ca": authority.pem,
            "other": CertificateAuthority("Another CA").pem,
            "server": server.pem,
            "server_key": server.private_key_pem,
            "client": client.pem,
            "client_key": client.private_key_pem,
        }
        for name, pem in contents.items():
            (tmp_path / name).write_bytes(pem)
        return {name: tmp_path / name for name in contents}

    @pytest.fixture
    def secure(self, launch: Any, files: dict[str, Path]) -> Callable[..., str]:
        def one(**options: Any) -> str:
            launch(
                "redis",
                port=0,
                tls_cert_file=files["server"],
                tls_key_file=files["server_key"],
                tls_ca_cert_file=files["ca"],
                **options,
            )
            return f"rediss://127.0.0.1:{options['tls_port']}/0?ssl_ca_certs="

        return one

    def test_a_server_certificate_is_verified(self, secure, files, free_port, closing):
        address = secure(tls_port=free_port(), tls_auth_clients="no")
        store = RedisReplayStore(f"{address}{files['ca']}", deadline=8)
        closing.callback(store.close)
        store.warm(now=NOW)
        assert put(store, "a")
        assert not put(store, "a")

        async def again() -> bool:
            try:
                return await store.aput("dpop_proof", "client-1", "a", expires_at=LATER + 60, now=LATER)
            finally:
                await store.aclose()

        assert not asyncio.run(again())
        stranger = RedisReplayStore(f"{address}{files['other']}", deadline=8)
        closing.callback(stranger.close)
        with pytest.raises(Unavailable):
            put(stranger, "b")
        elsewhere = RedisReplayStore(f"{address}{files['ca']}".replace("127.0.0.1", "localhost"), deadline=8)
        closing.callback(elsewhere.close)
        with pytest.raises(Unavailable) as refused:
            put(elsewhere, "b")
        assert "CERTIFICATE_VERIFY_FAILED" in str(refused.value.__cause__)
        plain = RedisReplayStore(address.replace("rediss", "redis").partition("?")[0], deadline=2)
        closing.callback(plain.close)
        with pytest.raises(Unavailable):
            put(plain, "b")

    def test_a_client_certificate_is_shown(self, secure, files, free_port, closing):
        address = secure(tls_port=free_port(), tls_auth_clients="yes")
        shown = f"&ssl_certfile={files['client']}&ssl_keyfile={files['client_key']}"
        for more, expected in ((shown, True), ("", False)):
            store = RedisReplayStore(f"{address}{files['ca']}{more}", deadline=8)
            closing.callback(store.close)
            if expected:
                store.warm(now=NOW)
                assert put(store, "a")
            else:
                with pytest.raises(Unavailable):
                    put(store, "b")


class TestCluster:
    @pytest.fixture
    def nodes(self, launch: Any, kind: str, free_port: Callable[[], int]) -> list[Any]:
        """Three masters, each with a third of the 16384 slots."""
        buses = [free_port() for _ in range(3)]
        settings = {"cluster_enabled": "yes", "cluster_node_timeout": 2000}
        nodes = [launch(kind, cluster_port=bus, **settings) for bus in buses]
        for number, node in enumerate(nodes):
            with node.client() as client:
                first, last = number * 16384 // 3, (number + 1) * 16384 // 3 - 1
                client.execute_command("CLUSTER ADDSLOTSRANGE", first, last)
                client.execute_command("CLUSTER MEET", "127.0.0.1", nodes[0].port, buses[0])
        for node in nodes:
            with node.client() as client:
                until(lambda client=client: b"cluster_state:ok" in client.execute_command("CLUSTER", "INFO"))
                until(lambda client=client: len(client.execute_command("CLUSTER SLOTS")) == 3)
        return nodes

    @pytest.fixture
    def client(self, nodes: list[Any]) -> Iterator[Any]:
        import redis

        with redis.RedisCluster(host="127.0.0.1", port=nodes[0].port, socket_timeout=5) as client:
            yield client

    def test_proofs_are_spread_and_accepted_once(self, nodes, client):
        import redis.asyncio

        store = RedisReplayStore(client)
        store.warm(now=NOW)
        assert store.stats()["renewed"] == 64
        proofs = [(f"jti-{number}", f"client-{number % 50}") for number in range(200)]
        assert all(put(store, *proof) for proof in proofs)
        assert not any(put(store, *proof) for proof in proofs)
        held = []
        for node in nodes:
            with node.client() as one:
                held.append(one.dbsize())
        assert min(held) > 30

        async def again() -> list[bool]:
            port = nodes[1].port
            async with redis.asyncio.RedisCluster(host="127.0.0.1", port=port, socket_timeout=5) as other:
                shared = RedisReplayStore(client, async_client=other)
                times: dict[str, Any] = {"expires_at": LATER + 60, "now": LATER, "issued_at": LATER}
                return [
                    await shared.aput("dpop_proof", principal, jti, **times)
                    for jti, principal in [*proofs[:20], ("new", "client-1")]
                ]

        assert asyncio.run(again()) == [False] * 20 + [True]

    def test_revocations(self, client):
        clock = FakeClock(LATER)
        revocations = RedisRevocationList(client, clock=clock)
        revocations.declare_nothing_was_revoked()
        for number in range(20):
            issuer = f"https://as-{number}.example.com"
            raw = FakeIssuer(issuer, alg="ES256", clock=clock)
            validator = keybound.AccessTokenValidator(
                issuer=issuer,
                audience="rs",
                keys=keybound.JWKSet.from_json(raw.jwks()),
                algorithms=["ES256"],
                clock=clock,
            )
            token = validator.validate(raw.access_token(audience="rs"))
            assert not revocations.is_revoked(token)
            revocations.revoke(issuer=issuer, sub=str(token.subject))
            assert revocations.is_revoked(token)

    def test_a_node_that_is_gone_takes_its_proofs_along_and_no_others(self, nodes, client):
        ticks = iter(range(10**6))
        store = RedisReplayStore(client, monotonic=lambda: float(next(ticks) * 10))
        store.warm(now=NOW)
        proofs = [(f"jti-{number}", f"client-{number}") for number in range(60)]
        nodes[2].kill()
        outcomes = []
        for proof in proofs:
            try:
                outcomes.append(put(store, *proof))
            except Unavailable:
                outcomes.append(None)
                break
        assert outcomes[-1] is None
        assert all(outcomes[:-1])

    def test_who_asks_the_others_does_not_wait_for_a_node_that_is_gone(self, nodes, client):
        """The first one looks around for as long as an answer may take, and not at every group in turn."""
        ticks = iter(range(10**6))
        store = RedisReplayStore(client, monotonic=lambda: float(next(ticks) * 10))
        nodes[2].kill()
        principals = [f"client-{number}" for number in range(60)]
        silent = [each for each in principals if not self.answers(store, each)]
        assert 0 < len(silent) < 60
        assert store.stats()["failed"] == len(silent)

    @staticmethod
    def answers(store: RedisReplayStore, principal: str, jti: str = "jti") -> bool:
        try:
            return put(store, jti, principal)
        except Unavailable as refused:
            return "lost" in str(refused)


class TestSentinel:
    def test_another_master(self, launch, kind, tmp_path, closing, free_port):
        """What the old one did not hand over may be lost: nothing of that time is accepted."""
        import redis

        master = launch(kind)
        replica = launch(kind, replicaof=f"127.0.0.1 {master.port}", repl_diskless_sync_delay=0)
        with replica.client() as client:
            until(lambda: client.info("replication")["master_link_status"] == "up")
        configuration = tmp_path / "sentinel.conf"
        configuration.write_text(f"sentinel monitor main 127.0.0.1 {master.port} 1\n")
        sentinel = launch(kind, configuration=configuration, sentinel=True, port=free_port())
        sentinels = redis.Sentinel([("127.0.0.1", sentinel.port)], socket_timeout=5)
        with sentinel.client() as client:
            closing.callback(lambda: [each.close() for each in sentinels.sentinels])
            until(lambda: client.execute_command("SENTINEL REPLICAS", "main"))
            current = sentinels.master_for("main", socket_timeout=5)
            closing.callback(current.close)
            store = RedisReplayStore(current)
            store.warm(now=NOW)
            assert put(store, "a")
            until(lambda: current.wait(1, 1000) == 1)
            until(lambda: fails_over(client))
            until(lambda: is_master(sentinels, replica.port))
        with replica.client() as client:
            until(lambda: client.info("replication")["role"] == "master")
        master.kill()
        until(lambda: is_master(sentinels, replica.port))
        with pytest.raises(Unavailable):
            put(store, "b")
        ticks = iter(range(10**6))
        later = RedisReplayStore(current, monotonic=lambda: float(next(ticks) * 10))
        with pytest.raises(Unavailable):
            put(later, "b", now=LATER + 1)
        # Whichever of the two came first found the mark of another run.
        assert store.stats()["renewed"] + later.stats()["renewed"] == 2
        # This one it did hand over, and knows it.
        assert not put(later, "a")
        assert put(later, "c", now=LATER + 100_000)


def is_master(sentinels: Any, port: int) -> bool:
    import redis

    try:
        return bool(sentinels.discover_master("main")[1] == port)
    except redis.sentinel.MasterNotFoundError:
        return False


def fails_over(client: Any) -> bool:
    """Sentinels that have just met refuse for a moment."""
    import redis

    try:
        return bool(client.execute_command("SENTINEL", "FAILOVER", "main"))
    except redis.ResponseError:
        return False


class TestValidator:
    def test_what_the_store_rejects_is_answered_as_by_the_validator(self, server, closing):
        """A client is told ``invalid_client``, and not what a resource server would say."""
        clock = FakeClock(LATER)
        client = FakeIssuer("client-1", alg="ES256", clock=clock)
        store = RedisReplayStore(server.url, max_lifetime=100)
        closing.callback(store.close)
        store.declare_nothing_was_used()
        validator = keybound.ClientAssertionValidator(
            client_id="client-1",
            audience="https://as.example.com",
            keys=keybound.JWKSet.from_json(client.jwks()),
            algorithms=["ES256"],
            clock=clock,
            replay=store,
        )

        def assertion(seconds: float) -> str:
            claims = {
                "iss": "client-1",
                "sub": "client-1",
                "aud": "https://as.example.com",
                "jti": f"{seconds}",
            }
            header = {"alg": "ES256", "kid": client.key.kid}
            return make_token(header, claims | {"iat": clock(), "exp": clock() + seconds}, client.key)

        async def late(raw: str) -> object:
            try:
                return await validator.avalidate(raw)
            finally:
                await store.aclose()

        assert validator.validate(assertion(60))
        for call in (validator.validate, lambda raw: asyncio.run(late(raw))):
            with pytest.raises(keybound.TokenRejected) as refused:
                call(assertion(200))
            assert refused.value.reason is Reason.LIFETIME_TOO_LONG
            assert refused.value.error_response()["error"] == "invalid_client"

    def test_logout_tokens_after_a_loss(self, server, closing):
        """G21: used once; and what was issued after a loss is accepted again at once."""
        clock = FakeClock(LATER)
        issuer = FakeIssuer("https://as.example.com", alg="ES256", clock=clock)
        store = RedisReplayStore(server.url)
        closing.callback(store.close)
        validator = keybound.LogoutTokenValidator(
            issuer=issuer.issuer,
            client_id="client-1",
            keys=keybound.JWKSet.from_json(issuer.jwks()),
            algorithms=["ES256"],
            replay=store,
            clock=clock,
        )
        store.warm(now=clock() - 100)
        raw = issuer.logout_token()
        validator.validate(raw)
        with pytest.raises(keybound.ContextRejected) as rejected:
            validator.validate(raw)
        assert rejected.value.reason is Reason.JTI_REPLAYED
        with server.client() as client:
            client.flushall()
        with pytest.raises(Unavailable):
            validator.validate(raw)
        clock.advance(35)
        with pytest.raises(Unavailable):
            validator.validate(raw)

        async def later() -> None:
            try:
                await validator.avalidate(issuer.logout_token())
            finally:
                await store.aclose()

        asyncio.run(later())
