"""Tokens that carry their key: what both twins take as a key, and what they keep of it."""

from __future__ import annotations

import copy
import hashlib
import json
import pickle
from typing import Any

import pytest

import keybound
from keybound.errors import Reason
from keybound.jose.algorithms import ALGORITHMS
from keybound.testing import OMIT, SigningKey, dpop_proof, make_token

NOW = 1_750_000_000
PUBLIC = sorted(name for name in ALGORITHMS if not name.startswith("HS"))
KEYS = {name: SigningKey.generate(name, shared=True) for name in PUBLIC}
OTHER_CURVE = SigningKey.generate("ES384")


@pytest.fixture(scope="module")
def proofs() -> keybound.DPoPProofValidator:
    return keybound.DPoPProofValidator(algorithms=PUBLIC, replay=None)


@pytest.fixture
def judge_of(twin_of: Any, proofs: Any) -> Any:
    """``judge_of(name)``: what one twin says of a proof."""

    def make(name: str, validator: keybound.DPoPProofValidator = proofs) -> Any:
        twin = twin_of(name)
        policy = twin.open_proofs(validator)
        return lambda raw, now=NOW, beside=None: twin.self_signed.validate(policy, raw, now, beside)

    return make


@pytest.fixture(params=["pure", "native"])
def judge(request: Any, judge_of: Any, twins_there_are: Any) -> Any:
    if request.param not in twins_there_are:
        pytest.skip("there is no native twin")
    return judge_of(request.param)


def clock() -> float:
    return NOW


def proof(alg: str = "ES256", **options: Any) -> str:
    return dpop_proof(KEYS[alg], clock=clock, **options)


def jwk_of(signs: str = "ES256", **members: Any) -> dict[str, Any]:
    public = {
        name: value for name, value in KEYS[signs].public_jwk().items() if name not in ("kid", "alg", "use")
    }
    return {name: value for name, value in (public | members).items() if value is not OMIT}


def expected_thumbprint(members: dict[str, Any]) -> str:
    return keybound.JWK.from_json(members).thumbprint()


@pytest.mark.parametrize("alg", PUBLIC)
def test_every_public_key_algorithm(judge: Any, alg: str) -> None:
    for _ in range(3):  # the second time the key is known
        token = judge(proof(alg))
        assert token.thumbprint == expected_thumbprint(jwk_of(alg))
        assert token.claims["htm"] == token.claim("htm") == "GET"
        assert token.header == {"typ": "dpop+jwt", "alg": alg, "jwk": jwk_of(alg)}
        assert token.header is token.header
        assert set(token.allowed_algorithms) == set(PUBLIC)
    assert judge(proof(alg, signer=SigningKey.generate(alg, shared=False))) == Reason.SIGNATURE_INVALID


@pytest.mark.parametrize(
    "header",
    [
        {"kid": "k"},
        {"typ": "application/DPoP+JWT"},
        {"jwk": jwk_of(kid="k", use="sig", alg="ES256", key_ops=["verify"], ext=True)},
        {"jwk": dict(reversed(jwk_of().items()))},
        {"jwk": jwk_of(x5c=["x"], unknown={"d": 1})},
        {"unknown": {"jwk": 1}},
    ],
)
def test_spellings_of_a_good_key(judge: Any, header: dict[str, Any]) -> None:
    token = judge(proof(header=header))
    assert token.thumbprint == expected_thumbprint(jwk_of())


def test_key_in_escaped_text(judge: Any) -> None:
    header = json.dumps({"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk_of()})
    payload = {"jti": "1", "htm": "GET", "htu": "https://h/", "iat": NOW}
    for spelled in (
        header.replace("P-256", "P\\u002d256"),
        header.replace('"x"', '"\\u0078"'),
        header.replace("dpop+jwt", "dpop\\u002bjwt"),
        header.replace('"jwk"', '"\\u006awk"'),
        header.replace(jwk_of()["x"], "".join(f"\\u{ord(letter):04x}" for letter in jwk_of()["x"])),
        " " + header.replace(":", " : ") + "\n",
    ):
        token = judge(make_token(spelled.encode(), payload, KEYS["ES256"]))
        assert token.thumbprint == expected_thumbprint(jwk_of())


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"jwk": OMIT}, Reason.DPOP_JWK_MISSING),
        ({"jwk": None}, Reason.DPOP_JWK_MISSING),
        ({"jwk": []}, Reason.DPOP_JWK_INVALID),
        ({"jwk": "x"}, Reason.DPOP_JWK_INVALID),
        ({"jwk": {}}, Reason.DPOP_JWK_INVALID),
        ({"jwk": {"keys": [jwk_of()]}}, Reason.DPOP_JWK_INVALID),
        ({"jwk": KEYS["ES256"].private_jwk()}, Reason.DPOP_JWK_PRIVATE),
        ({"jwk": KEYS["RS256"].private_jwk()}, Reason.DPOP_JWK_PRIVATE),
        ({"jwk": jwk_of(d="")}, Reason.DPOP_JWK_PRIVATE),
        ({"jwk": jwk_of(d=None)}, Reason.DPOP_JWK_PRIVATE),
        ({"jwk": {"kty": "oct", "k": "A" * 43}}, Reason.DPOP_JWK_PRIVATE),
        ({"jwk": {"kty": "oct"}}, Reason.DPOP_JWK_PRIVATE),
        ({"jwk": jwk_of(kty="RSA")}, Reason.DPOP_JWK_INVALID),
        ({"jwk": jwk_of(kty="ec")}, Reason.DPOP_JWK_INVALID),
        ({"jwk": jwk_of(crv="P-384")}, Reason.DPOP_JWK_INVALID),
        ({"jwk": jwk_of(crv="secp256k1")}, Reason.DPOP_JWK_INVALID),
        ({"jwk": jwk_of(crv=OMIT)}, Reason.DPOP_JWK_INVALID),
        ({"jwk": jwk_of(y=OMIT)}, Reason.DPOP_JWK_INVALID),
        ({"jwk": jwk_of(x=jwk_of()["y"], y=jwk_of()["x"])}, Reason.DPOP_JWK_INVALID),
        ({"jwk": jwk_of(x=jwk_of()["x"] + "=")}, Reason.DPOP_JWK_INVALID),
        ({"jwk": jwk_of(x="AA" + jwk_of()["x"])}, Reason.DPOP_JWK_INVALID),
        ({"jwk": jwk_of(x=jwk_of()["x"][:-2])}, Reason.DPOP_JWK_INVALID),
        ({"jwk": jwk_of(x="A" * 43, y="A" * 43)}, Reason.DPOP_JWK_INVALID),
        ({"jwk": jwk_of(x="A" * 2000)}, Reason.DPOP_JWK_INVALID),
        ({"jwk": jwk_of(x=5)}, Reason.DPOP_JWK_INVALID),
        ({"jwk": jwk_of(use="enc")}, Reason.DPOP_JWK_INVALID),
        ({"jwk": jwk_of(key_ops=["sign"])}, Reason.DPOP_JWK_INVALID),
        ({"jwk": jwk_of(kid=5)}, Reason.DPOP_JWK_INVALID),
        ({"jwk": jwk_of(alg="ES384")}, Reason.DPOP_JWK_INVALID),
        ({"jwk": jwk_of("RS256")}, Reason.KEY_UNSUITABLE),
        ({"jwk": jwk_of("ES384")}, Reason.KEY_UNSUITABLE),
        ({"jwk": jwk_of("Ed25519"), "alg": "Ed448"}, Reason.KEY_UNSUITABLE),
        ({"jwk": jwk_of("RS256", alg="RS256"), "alg": "PS256"}, Reason.KEY_UNSUITABLE),
        ({"alg": "ES384"}, Reason.KEY_UNSUITABLE),
        ({"alg": OMIT}, Reason.ALG_MISSING),
        ({"alg": "none"}, Reason.ALG_NOT_ALLOWED),
        ({"alg": "HS256"}, Reason.ALG_NOT_ALLOWED),
        ({"alg": "es256"}, Reason.ALG_NOT_ALLOWED),
        ({"alg": 5}, Reason.HEADER_MEMBER_INVALID),
        ({"typ": OMIT}, Reason.TYP_MISSING),
        ({"typ": "JWT"}, Reason.TYP_NOT_ALLOWED),
        ({"typ": "at+jwt"}, Reason.TYP_NOT_ALLOWED),
        ({"typ": "dpop+jwt "}, Reason.TYP_NOT_ALLOWED),
        ({"crit": ["jwk"]}, Reason.CRIT_INVALID),
        ({"crit": ["x"], "x": 1}, Reason.CRIT_UNSUPPORTED),
        ({"b64": False, "crit": ["b64"]}, Reason.CRIT_UNSUPPORTED),
        ({"kid": 5}, Reason.HEADER_MEMBER_INVALID),
        ({"x": "x" * 4000}, Reason.HEADER_TOO_LARGE),
    ],
)
def test_headers_that_are_refused(judge: Any, header: dict[str, Any], reason: Reason) -> None:
    for _ in range(2):
        assert judge(proof(header=header)) == reason


def test_private_key_is_refused_even_when_it_signs(judge: Any) -> None:
    for alg in PUBLIC:
        raw = proof(alg, header={"jwk": KEYS[alg].private_jwk()})
        assert judge(raw) == Reason.DPOP_JWK_PRIVATE


def test_sizes_of_rsa_keys(judge: Any) -> None:
    """Whoever sends a key chooses what its verification costs."""
    small, large = (SigningKey.generate("PS256", rsa_bits=bits) for bits in (1024, 4104))
    assert judge(dpop_proof(small, clock=clock)) == Reason.DPOP_JWK_INVALID
    assert judge(dpop_proof(large, clock=clock)) == Reason.DPOP_JWK_INVALID
    assert judge(proof("PS256")).thumbprint == expected_thumbprint(jwk_of("PS256"))
    odd = jwk_of("PS256", e="A" * 100)
    assert judge(proof("PS256", header={"jwk": odd})) == Reason.DPOP_JWK_INVALID


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (None, Reason.TOKEN_MISSING),
        ("", Reason.TOKEN_MISSING),
        (5, Reason.TOKEN_NOT_TEXT),
        (bytearray(b"a.b.c"), Reason.TOKEN_NOT_TEXT),
        ("a.b", Reason.TOKEN_MALFORMED),
        ("a.b.c.d.e", Reason.TOKEN_ENCRYPTED),
        ("é.b.c", Reason.BASE64URL_INVALID),
        ("a.b.c", Reason.BASE64URL_INVALID),
        ("e30.e30.", Reason.ALG_MISSING),
        ("W10.e30.", Reason.HEADER_NOT_OBJECT),
        ("x" * 20_000, Reason.TOKEN_TOO_LARGE),
    ],
)
def test_what_is_no_token(judge: Any, raw: Any, reason: Reason) -> None:
    assert judge(raw) == reason


def test_text_and_bytes(judge: Any) -> None:
    raw = proof()
    assert judge(raw).claims == judge(raw.encode()).claims
    assert judge(f"{raw}, {raw}") == Reason.TOKEN_ENCRYPTED


def test_parts_of_good_tokens_do_not_fit_together(judge: Any) -> None:
    one, other = proof().split("."), proof("ES384").split(".")
    assert judge(".".join([one[0], other[1], one[2]])) == Reason.SIGNATURE_INVALID
    assert judge(".".join([one[0], one[1], other[2]])) == Reason.SIGNATURE_INVALID
    assert judge(".".join([other[0], one[1], one[2]])) == Reason.SIGNATURE_INVALID
    assert judge(".".join([one[0], one[1], one[2] + "="])) == Reason.BASE64URL_INVALID
    assert judge(".".join([one[0], one[1] + "=", one[2]])) == Reason.BASE64URL_INVALID
    assert judge(".".join(one)).claim("htm") == "GET"


def test_a_key_is_remembered_only_for_its_own_header(judge: Any) -> None:
    """The memo finds a key by all of the header, and only after a good signature."""
    stranger = SigningKey.generate("ES256")
    for _ in range(3):
        assert judge(proof(signer=stranger)) == Reason.SIGNATURE_INVALID
        assert judge(proof()).thumbprint == KEYS["ES256"].thumbprint
        assert judge(dpop_proof(stranger, clock=clock)).thumbprint == stranger.thumbprint


def test_many_keys_come_and_go(judge: Any) -> None:
    first = proof()
    assert judge(first).thumbprint == KEYS["ES256"].thumbprint
    for key in [SigningKey.generate("ES256") for _ in range(1100)]:
        assert judge(dpop_proof(key, clock=clock)).thumbprint == key.thumbprint
    assert judge(first).thumbprint == KEYS["ES256"].thumbprint


def test_claims_are_checked(judge: Any) -> None:
    assert judge(proof(iat=OMIT)) == Reason.IAT_MISSING
    assert judge(proof(), NOW + 71) == Reason.TOKEN_TOO_OLD
    assert judge(proof(), NOW + 70).claim("iat") == NOW
    assert judge(proof(), float("nan")) == Reason.IAT_IN_FUTURE
    assert judge(proof(htm=OMIT)) & 0xFFFF == Reason.CLAIM_MISSING


def test_the_token_is_immutable_and_stays_here(judge: Any) -> None:
    token = judge(proof())
    for name in ("thumbprint", "header", "claims", "allowed_algorithms", "other"):
        with pytest.raises(AttributeError):
            setattr(token, name, 1)
    for attempt in (pickle.dumps, copy.deepcopy, copy.copy):
        with pytest.raises(TypeError):
            attempt(token)
    with pytest.raises(TypeError):
        type(token)()
    with pytest.raises((TypeError, AttributeError)):
        type(token).__new__(type(token)).thumbprint  # noqa: B018


def test_the_token_beside_it(judge_of: Any, twin_of: Any, twins_there_are: Any) -> None:
    for name in twins_there_are:
        judge, road = judge_of(name), twin_of(name).road
        digest = hashlib.sha256(json.dumps(jwk_of(), sort_keys=True, separators=(",", ":")).encode()).digest()
        token = judge(proof(), beside="a.b.c")
        assert road.thumbprint_beside(token, "a.b.c") == digest
        assert road.thumbprint_beside(token, b"a.b.c") == digest
        for other in ("a.b.d", b"a.b.c ", None, 5, "", "é"):
            assert road.thumbprint_beside(token, other) == b""
        assert road.thumbprint_beside(judge(proof()), "a.b.c") == b""
        assert road.thumbprint_beside(judge(proof()), None) == b""
        assert road.thumbprint_beside(None, "a.b.c") is None
        for wrong in ("x", object(), road.VerifiedToken):
            with pytest.raises(keybound.PolicyError):
                road.thumbprint_beside(wrong, "a.b.c")
