"""A token and its proof in one call: the proof is used up only if the token, too, is good (RFC 9449, 7.1)."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import keybound
from keybound.clients import ClientSecretBasic
from keybound.errors import Reason, rejection
from keybound.keys import Response
from keybound.stores import MemoryReplayStore
from keybound.testing import FakeClock, FakeIssuer, SigningKey, dpop_proof

URL = "https://rs.example.com/orders"
AUDIENCE = "https://rs.example.com"


class Scene:
    """A resource server, and a client with a key and a token bound to it."""

    def __init__(self) -> None:
        self.clock, self.key = FakeClock(), SigningKey.generate("ES256")
        self.issuer = FakeIssuer(clock=self.clock)
        self.store = MemoryReplayStore(max_entries=4)
        self.proofs = keybound.DPoPProofValidator(
            algorithms=["ES256"], replay=self.store, clock=self.clock, leeway=0
        )
        self.tokens = keybound.AccessTokenValidator(
            issuer=self.issuer.issuer,
            audience=AUDIENCE,
            keys=keybound.JWKSet.from_json(self.issuer.jwks()),
            algorithms=["ES256"],
            clock=self.clock,
        )

    def token(self, **options: Any) -> str:
        return self.issuer.access_token(audience=AUDIENCE, **{"dpop_key": self.key} | options)

    def proof(self, token: str, **options: Any) -> str:
        return dpop_proof(
            options.pop("key", self.key), url=URL, access_token=token, clock=self.clock, **options
        )

    def used(self) -> int:
        entries: int = self.store.stats()["entries"]
        return entries

    def present(self, way: str, token: Any, proof: Any, **options: Any) -> Any:
        request = {"by": self.tokens, "method": "GET", "url": URL} | options
        if way == "sync":
            return self.proofs.validate_token(token, proof, **request)
        return asyncio.run(self.proofs.avalidate_token(token, proof, **request))

    def rejects(self, way: str, reason: Reason, token: Any, proof: Any, **options: Any) -> None:
        with pytest.raises(keybound.TokenRejected) as caught:
            self.present(way, token, proof, **options)
        assert caught.value.reason is reason


@pytest.fixture
def scene() -> Scene:
    return Scene()


both_ways = pytest.mark.parametrize("way", ["sync", "async"])


@both_ways
def test_a_good_request_is_good_once(scene: Scene, way: str) -> None:
    """F-9"""
    token = scene.token()
    proof = scene.proof(token)
    assert scene.present(way, token, proof).confirmation == {"jkt": scene.key.thumbprint}
    scene.rejects(way, Reason.JTI_REPLAYED, token, proof)
    assert scene.used() == 1
    counted = scene.proofs.stats()
    assert (counted["accepted"], counted["rejected"]) == (1, {"jti_replayed": 1})


@both_ways
@pytest.mark.parametrize("options", [{"lifetime": -60}, {"audience": "https://other.example.com"}])
def test_a_token_that_is_no_good_uses_up_nothing(scene: Scene, way: str, options: dict[str, Any]) -> None:
    """F-9: burned after all checks, those of the token among them."""
    bad = scene.issuer.access_token(**{"audience": AUDIENCE, "dpop_key": scene.key} | options)
    reason = Reason.TOKEN_EXPIRED if "lifetime" in options else Reason.AUD_MISMATCH
    for _ in range(2):
        scene.rejects(way, reason, bad, scene.proof(bad, jti="same"))
    assert scene.used() == 0
    # Not its proof was at fault.
    assert scene.proofs.stats()["rejected"] == {}
    assert scene.tokens.stats()["rejected"] == {str(reason): 2}
    good = scene.token()
    scene.present(way, good, scene.proof(good, jti="same"))


@both_ways
def test_strangers_cannot_fill_the_store(scene: Scene, way: str) -> None:
    """F-14: whoever has no token of the issuer never makes anybody wait."""
    forged = FakeIssuer(clock=scene.clock)
    for _ in range(3 * 4):
        stranger = SigningKey.generate("ES256")
        token = forged.access_token(audience=AUDIENCE, dpop_key=stranger)
        proof = scene.proof(token, key=stranger)
        scene.rejects(way, Reason.KEY_UNKNOWN, token, proof)
        scene.rejects(way, Reason.TOKEN_MALFORMED, "garbage", scene.proof("garbage", key=stranger))
    assert scene.used() == 0
    token = scene.token()
    scene.present(way, token, scene.proof(token))


@both_ways
def test_a_proof_that_is_no_good(scene: Scene, way: str) -> None:
    token = scene.token()
    scene.rejects(way, Reason.CLAIM_MISMATCH, token, scene.proof(token, method="POST"))
    scene.rejects(way, Reason.CLAIM_MISMATCH, token, scene.proof(scene.token()))
    scene.rejects(way, Reason.DPOP_PROOF_MISSING, token, "")
    scene.rejects(way, Reason.DPOP_KEY_MISMATCH, token, scene.proof(token, key=SigningKey.generate("ES256")))
    assert scene.used() == 0


@both_ways
def test_no_proof(scene: Scene, way: str) -> None:
    """F-8: a bound token is no bearer token; one that is not bound needs no proof, and gets none."""
    scene.rejects(way, Reason.DPOP_PROOF_MISSING, scene.token(), None)
    bearer = scene.token(dpop_key=None)
    assert scene.present(way, bearer, None).confirmation is None
    scene.rejects(way, Reason.DPOP_PROOF_UNEXPECTED, bearer, scene.proof(bearer))
    assert scene.used() == 0


@both_ways
def test_no_token(scene: Scene, way: str) -> None:
    scene.rejects(way, Reason.TOKEN_MISSING, None, None)
    scene.rejects(way, Reason.CLAIM_FORBIDDEN, None, scene.proof("x"))
    scene.rejects(way, Reason.TOKEN_MISSING, None, dpop_proof(scene.key, url=URL, clock=scene.clock))
    assert scene.used() == 0


@both_ways
def test_a_store_that_cannot_tell(scene: Scene, way: str) -> None:
    scene.proofs = keybound.DPoPProofValidator(
        algorithms=["ES256"], replay=MemoryReplayStore(max_entries=1), clock=scene.clock
    )
    first, second = scene.token(), scene.token()
    scene.present(way, first, scene.proof(first))
    with pytest.raises(keybound.Unavailable):
        scene.present(way, second, scene.proof(second))
    assert scene.proofs.stats()["unavailable"] == 1


@both_ways
def test_what_a_store_rejects_is_answered_in_the_scheme(scene: Scene, way: str) -> None:
    class Short(MemoryReplayStore):
        def put(self, *names: str, **times: Any) -> bool:
            raise rejection(Reason.LIFETIME_TOO_LONG)

    scene.proofs = keybound.DPoPProofValidator(algorithms=["ES256"], replay=Short(), clock=scene.clock)
    token = scene.token()
    with pytest.raises(keybound.TokenRejected) as caught:
        scene.present(way, token, scene.proof(token))
    assert caught.value.reason is Reason.LIFETIME_TOO_LONG
    assert caught.value.challenge().startswith('DPoP error="invalid_dpop_proof"')
    assert scene.proofs.stats()["rejected"] == {"lifetime_too_long": 1}


@both_ways
def test_by_a_router(scene: Scene, way: str) -> None:
    router = keybound.IssuerRouter([scene.tokens])
    token = scene.token()
    proof = scene.proof(token)
    assert scene.present(way, token, proof, by=router).subject == "user-1"
    scene.rejects(way, Reason.JTI_REPLAYED, token, proof, by=router)


@both_ways
def test_by_asking_the_authorization_server(scene: Scene, way: str) -> None:
    def endpoint(request: Any) -> Response:
        answer = scene.issuer.introspection_response(audience=AUDIENCE, dpop_key=scene.key)
        return Response(
            status=200, headers={"content-type": "application/json"}, body=json.dumps(answer).encode()
        )

    client = keybound.IntrospectionClient(
        "https://as.example.com/introspect",
        validator=keybound.IntrospectionResponseValidator(
            issuer=scene.issuer.issuer, audience=AUDIENCE, clock=scene.clock
        ),
        authentication=ClientSecretBasic("rs-1", "a secret of the resource server"),
        transport=endpoint,
    )
    proof = scene.proof("an-opaque-token")
    assert scene.present(way, "an-opaque-token", proof, by=client).subject == "user-1"
    scene.rejects(way, Reason.JTI_REPLAYED, "an-opaque-token", proof, by=client)


@both_ways
def test_with_a_certificate(scene: Scene, way: str, world: Any) -> None:
    token = scene.token(dpop_key=None, certificate=world.client)
    assert scene.present(way, token, None, certificate=world.client.der).subject == "user-1"


def test_many_at_once(scene: Scene) -> None:
    token = scene.token()
    proof = scene.proof(token)

    def present(_: int) -> Reason:
        try:
            scene.present("sync", token, proof)
        except keybound.TokenRejected as rejected:
            return rejected.reason
        return Reason.OK

    with ThreadPoolExecutor(8) as pool:
        reasons = list(pool.map(present, range(64)))
    assert sorted(reasons) == sorted([Reason.OK] + [Reason.JTI_REPLAYED] * 63)


@both_ways
@pytest.mark.parametrize("by", [None, "validator", object()], ids=["none", "text", "object"])
def test_by_what_is_no_validator(scene: Scene, way: str, by: object) -> None:
    with pytest.raises(keybound.PolicyError):
        scene.present(way, scene.token(), None, by=by)
