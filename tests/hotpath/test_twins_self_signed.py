"""Both twins say the same about every token that carries its key, whichever road it takes."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytest.importorskip("hypothesis")

from hypothesis import event, given
from hypothesis import strategies as st

import keybound
from keybound.errors import Reason
from keybound.testing import SigningKey, dpop_proof, make_token

NOW = 1_750_000_000
KEYS = {
    name: SigningKey.generate(name, shared=True)
    for name in ("ES256", "ES384", "ES512", "ES256K", "PS256", "Ed25519")
}
JWKS = {
    name: {member: value for member, value in key.public_jwk().items() if member not in ("kid", "alg", "use")}
    for name, key in KEYS.items()
}
COORDINATES = [jwk[name] for jwk in JWKS.values() for name in ("x", "y") if name in jwk]
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-1, 5)
    | st.text(max_size=5)
    | st.lists(st.sampled_from(["verify", "sign", "x", 1]), max_size=2)
    | st.dictionaries(st.sampled_from(["d", "x"]), st.integers(), max_size=2)
)
COORDINATE = (
    st.sampled_from(COORDINATES)
    | st.sampled_from(COORDINATES).map(lambda text: text[:-1] + "B")
    | st.sampled_from(COORDINATES).map(lambda text: "A" + text)
    | st.text(ALPHABET, min_size=42, max_size=44)
    | VALUES
)
JWK_MEMBERS = st.fixed_dictionaries(
    {},
    optional={
        "kty": st.sampled_from(["EC", "RSA", "OKP", "oct", "ec"]) | VALUES,
        "crv": st.sampled_from(["P-256", "P-384", "P-521", "secp256k1", "Ed25519", "p-256"]) | VALUES,
        "x": COORDINATE,
        "y": COORDINATE,
        "d": VALUES,
        "alg": st.sampled_from([*KEYS, "HS256"]) | VALUES,
        "use": st.sampled_from(["sig", "enc"]) | VALUES,
        "key_ops": VALUES,
        "kid": VALUES,
        "n": VALUES,
        "": VALUES,
    },
)
HEADER_MEMBERS = st.fixed_dictionaries(
    {},
    optional={
        "typ": st.sampled_from(["dpop+jwt", "DPoP+JWT", "application/dpop+jwt", "JWT", "at+jwt"]) | VALUES,
        "alg": st.sampled_from([*KEYS, "none", "HS256", "EdDSA"]) | VALUES,
        "kid": VALUES,
        "crit": VALUES,
        "b64": VALUES,
        "x": VALUES,
    },
)


@pytest.fixture(scope="module")
def agree(twin_of: Any, twins_there_are: Any) -> Any:
    """The one verdict of both twins, and the same thumbprint, claims and header where it is good."""
    if "native" not in twins_there_are:
        pytest.skip("there is no native twin")
    proofs = keybound.DPoPProofValidator(algorithms=list(KEYS), replay=None)
    policies = [(twin_of(name), twin_of(name).open_proofs(proofs)) for name in twins_there_are]

    def agree(raw: Any, now: float = NOW) -> int:
        results = [twin.self_signed.validate(policy, raw, now, "x") for twin, policy in policies]
        verdicts = {int(result) if isinstance(result, int) else int(Reason.OK) for result in results}
        assert len(verdicts) == 1
        if verdicts == {Reason.OK}:
            assert len({token.thumbprint for token in results}) == 1
            assert results[0].header == results[1].header
            assert results[0].claims == results[1].claims
        (verdict,) = verdicts
        event(str(Reason(verdict & 0xFFFF)))
        return verdict

    return agree


def spellings(value: Any) -> Any:
    compact = json.dumps(value)
    escaped = compact.replace("P-", "P\\u002d").replace("x", "\\u0078")
    shuffled = json.dumps(value, indent=1, sort_keys=True)
    return st.sampled_from([compact, escaped, shuffled]).map(
        lambda text: text.encode("utf-8", "surrogatepass")
    )


def payload() -> dict[str, Any]:
    return {"jti": "1", "htm": "GET", "htu": "https://h/", "iat": NOW}


@given(st.data(), st.sampled_from(sorted(KEYS)), st.sampled_from(sorted(KEYS)))
def test_keys(agree: Any, data: st.DataObject, signs: str, shown: str) -> None:
    """Any key in any header, signed by another or by its own."""
    odd = data.draw(JWK_MEMBERS)
    names = data.draw(st.sets(st.sampled_from(sorted(odd)), max_size=3)) if odd else set()
    dropped = data.draw(st.sets(st.sampled_from(["kty", "crv", "x", "y"]), max_size=1) | st.just(set()))
    jwk = {name: value for name, value in JWKS[shown].items() if name not in dropped}
    jwk |= {name: odd[name] for name in names}
    header = {"typ": "dpop+jwt", "alg": data.draw(st.sampled_from([shown, shown, signs])), "jwk": jwk}
    raw = make_token(data.draw(spellings(header)), payload(), KEYS[signs])
    verdict = agree(raw)
    assert agree(raw) == verdict
    if verdict == Reason.OK:
        assert signs == shown


@given(st.data(), HEADER_MEMBERS)
def test_headers(agree: Any, data: st.DataObject, odd: dict[str, Any]) -> None:
    names = data.draw(st.sets(st.sampled_from(sorted(odd)), max_size=3)) if odd else set()
    header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": JWKS["ES256"]} | {name: odd[name] for name in names}
    agree(make_token(data.draw(spellings(header)), payload(), KEYS["ES256"]))


@given(st.data())
def test_members_that_come_twice(agree: Any, data: st.DataObject) -> None:
    members = list(JWKS["ES256"].items()) + data.draw(
        st.lists(
            st.sampled_from([("x", "y"), ("d", "x"), ("\\u0078", "y"), ("kty", "EC"), ("e", "1")]), max_size=2
        )
    )
    jwk = ",".join(f'"{name}":"{value}"' for name, value in members)
    text = f'{{"typ":"dpop+jwt","alg":"ES256","jwk":{{{jwk}}}}}'
    agree(make_token(text.encode(), payload(), KEYS["ES256"]))


@given(st.data(), st.sampled_from(sorted(KEYS)))
def test_mutated_text(agree: Any, data: st.DataObject, alg: str) -> None:
    good = dpop_proof(KEYS[alg], clock=lambda: NOW).encode()
    raw = bytearray(good)
    for _ in range(data.draw(st.integers(1, 2))):
        position, length = data.draw(st.integers(0, len(raw) - 1)), data.draw(st.integers(0, 8))
        change = data.draw(st.sampled_from(["flip", "cut", "repeat", "letter"]))
        if change == "flip":
            raw[position] ^= 1 << data.draw(st.integers(0, 7))
        elif change == "cut":
            del raw[position : position + length]
        elif change == "repeat":
            raw[position:position] = raw[position : position + length]
        else:
            raw[position] = ord(data.draw(st.sampled_from(ALPHABET + "=.+/ ")))
        if not raw:
            break
    assert agree(bytes(raw)) != Reason.OK or raw == good
    agree(bytes(raw).decode("latin-1"))


@given(
    st.floats(NOW - 100, NOW + 100) | st.integers(NOW - 100, NOW + 100),
    st.sampled_from([NOW, NOW + 10, NOW - 70, NOW + 0.5]) | VALUES,
)
def test_times(agree: Any, now: float, iat: Any) -> None:
    agree(dpop_proof(KEYS["ES256"], clock=lambda: NOW, iat=iat), now)


@given(st.binary(max_size=200) | st.text(max_size=100) | st.text(ALPHABET + ".=", max_size=200) | st.none())
def test_random(agree: Any, raw: Any) -> None:
    assert agree(raw) != Reason.OK
