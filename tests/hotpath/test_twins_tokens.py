"""Both twins say the same about every token: good, mutated, forged and random."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

pytest.importorskip("hypothesis")

from hypothesis import event, example, given
from hypothesis import strategies as st

import keybound
from keybound._hotpath.contract import AudienceForm, Binding, ClaimRules, Family, Marker
from keybound.errors import Reason
from keybound.jose.algorithms import ALGORITHMS
from keybound.kinds import FOREIGN_MARKERS
from keybound.testing import SigningKey, make_token

NOTHING = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
NOT_CANONICAL = "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
NOW = 1_750_000_000

NUMBERS = (
    st.integers(NOW - 400, NOW + 400)
    | st.floats(NOW - 400, NOW + 400)
    | st.sampled_from(
        [0, -0.0, -1, NOW + 10, NOW - 10, NOW + 10.000001, 253402300799, 253402300800, 2**63, 1e300]
    )
)
SCALARS = st.none() | st.booleans() | NUMBERS | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
)
SCOPES = st.sampled_from(["read", "write", "", "re", "read write", "a b c", "read ", "READ"])
AUDIENCES = st.sampled_from(["https://rs.example.com/", "https://rs.example.com", "x", ""])


def thumbprints(good: str) -> Any:
    odd = st.sampled_from([good, good[:-1], good + "A", good + "=", NOTHING, NOT_CANONICAL, "ab" * 32, ""])
    return odd | st.text(ALPHABET, min_size=42, max_size=44) | VALUES


def claim_sets(good: str) -> Any:
    """Claims sets of which about every fifth is accepted under some policy."""
    rules = {
        "iss": st.just("https://as.example.com/tenant") | SCALARS,
        "aud": AUDIENCES | st.lists(AUDIENCES | VALUES, max_size=3) | VALUES,
        "exp": NUMBERS | VALUES,
        "nbf": NUMBERS | VALUES,
        "iat": NUMBERS | VALUES,
        "sub": st.just("https://as.example.com/tenant") | st.text(max_size=4) | VALUES,
        "nonce": VALUES,
        "htm": VALUES,
        "code": VALUES,
        "token_introspection": VALUES,
        "client_id": st.text(max_size=4) | AUDIENCES | VALUES,
        "jti": st.text(max_size=4) | VALUES,
        "scope": SCOPES | VALUES,
        "scp": SCOPES | st.lists(SCOPES | VALUES, max_size=3) | VALUES,
        "cnf": st.dictionaries(st.sampled_from(["x5t#S256", "jkt"]), thumbprints(good), max_size=2) | VALUES,
        "acr": st.sampled_from(["a", "\u00e4"]) | VALUES,
        "act": VALUES,
    }
    good_claims = {"iss": "https://as.example.com/tenant", "aud": "https://rs.example.com/", "exp": NOW + 300}
    return st.fixed_dictionaries({}, optional=rules).flatmap(
        lambda odd: st.sets(st.sampled_from(sorted(good_claims | odd))).map(
            lambda names: good_claims | {name: value for name, value in odd.items() if name in names}
        )
    )


def spellings(value: Any) -> Any:
    """JSON texts of one value: compact, spread out, escaped in full or in part."""
    compact = json.dumps(value)
    spread = json.dumps(value, indent=1)
    unicode = json.dumps(value, ensure_ascii=False)
    slashes = compact.replace("/", "\\/")
    letters = compact.replace("a", "\\u0061").replace("S256", "S\\u0032\\u003556")
    return st.sampled_from([compact, spread, unicode, slashes, letters]).map(lambda text: encode(text))


def encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


POLICIES: list[dict[str, Any]] = [
    {},
    {"binding": "required", "scopes": ["read"]},
    {"binding": "ignore", "required_claims": ["acr", "sub"], "forbidden_claims": ["act", "may_act"]},
    {"max_lifetime": 350, "max_age": 100, "leeway": 0.5},
    {"profile": keybound.profiles.RFC9068, "audience": ["x", "https://rs.example.com/"]},
    {"allow_missing_exp": True, "scopes": "read write", "limits": keybound.Limits(json_depth=3)},
]


@pytest.fixture(scope="module")
def native(native: Any) -> Any:
    """Skips before the first example where there is no native twin."""
    assert native.token
    return native


@pytest.fixture(scope="module")
def validators(world: Any) -> list[keybound.AccessTokenValidator]:
    assert world.now == NOW
    spare = [SigningKey.generate(alg, kid=kid) for alg, kid in (("ES384", "spare"), ("ES256", "other"))]
    keys = keybound.JWKSet.from_json({"keys": [world.key.public_jwk(), *(key.public_jwk() for key in spare)]})
    return [world.validator(keys=keys, algorithms=["ES256", "ES384"], **policy) for policy in POLICIES]


@pytest.fixture(scope="module")
def agree(judge: Any, world: Any, validators: Any) -> Any:
    certificates = [
        None,
        world.client.der,
        world.stranger.der,
        world.client.thumbprint,
        b"",
        b"x",
        b"\x30\x01x",
    ]

    def agree(raw: Any, policy: int, certificate: int = 1) -> int:
        """The one verdict of both twins, with and without their caches."""
        (verdict,) = judge.verdicts(validators[policy], raw, certificates[certificate])
        # `pytest --hypothesis-show-statistics` tells how many of each there were.
        event(str(Reason(verdict & 0xFFFF)))
        return int(verdict)

    return agree


WHICH = {"policy": st.integers(0, len(POLICIES) - 1), "certificate": st.integers(0, 6)}


@given(data=st.data(), **WHICH)
def test_claims(world: Any, agree: Any, data: st.DataObject, policy: int, certificate: int) -> None:
    claims = data.draw(claim_sets(world.client.thumbprint))
    raw = world.forge(payload=data.draw(spellings(claims)))
    agree(raw, policy, certificate)


NAMES = st.lists(
    st.sampled_from(["acr", "act", "sub", "iss", "", "\u00e4", "\ud800", "x" * 50]), max_size=3
).map(tuple)


@st.composite
def claim_rules(draw: Any) -> ClaimRules:
    """Any rules that a policy can compile to, and some that only other kinds of tokens will."""
    max_lifetime = draw(st.none() | st.sampled_from([1, 300, 300.5, 1e12]))
    max_age = draw(st.none() | st.sampled_from([1, 60, 0.5, 1e12]))
    distance = draw(st.none() | st.sampled_from([1, 300, 300.5, 1e12]))
    max_nbf_age = draw(st.none() | st.sampled_from([1, 60, 0.5, 1e12]))
    return ClaimRules(
        issuer=draw(st.sampled_from([None, *["https://as.example.com/tenant"] * 5, "", "\ud800"])),
        audiences=draw(st.sampled_from([(), *[("https://rs.example.com/", "x")] * 3, ("",)])),
        exp_required=draw(st.booleans()) or max_lifetime is not None or distance is not None,
        nbf_required=draw(st.booleans()) or max_nbf_age is not None,
        iat_required=draw(st.booleans()) or max_lifetime is not None or max_age is not None,
        sub_required=draw(st.booleans()),
        client_id_required=draw(st.booleans()),
        jti_required=draw(st.booleans()),
        leeway=draw(st.sampled_from([0.0, 10.0, 0.1, 1e9])),
        max_lifetime=max_lifetime,
        max_age=max_age,
        max_expiry_distance=distance,
        max_nbf_age=max_nbf_age,
        max_jti=draw(st.none() | st.sampled_from([1, 3, 128])),
        required=draw(NAMES),
        forbidden=draw(NAMES),
        scopes=draw(st.lists(st.sampled_from(["read", "write", "a"]), max_size=2).map(tuple)),
        binding=draw(st.sampled_from(Binding)),
        expected=draw(st.sampled_from([(), (), (("acr", "a"),), (("acr", "\u00e4"), ("act", "\ud800"))])),
        audience_form=draw(st.sampled_from(AudienceForm)),
        foreign=draw(st.just(0) | st.sampled_from([*Marker, *FOREIGN_MARKERS.values()])),
        expired_accepted=draw(st.booleans()),
        audience_is_client=draw(st.booleans()),
        iss_required=draw(st.booleans()),
        aud_required=draw(st.booleans()),
    )


@given(data=st.data(), rules=claim_rules(), depth=st.sampled_from([1, 2, 3, 32, 256]))
def test_claims_under_any_rules(
    world: Any, native: Any, pure: Any, data: st.DataObject, rules: ClaimRules, depth: int
) -> None:
    now = data.draw(NUMBERS.map(float) | st.sampled_from([float("nan"), float("inf"), float("-inf")]))
    proof = data.draw(st.sampled_from([None, world.client.der, b"", b"x", bytes(32)]))
    bound_to = base64.urlsafe_b64decode(world.client.thumbprint + "=")
    jkt = data.draw(st.sampled_from([None, bound_to, b"", bytes(32)]))
    payload = data.draw(claim_sets(world.client.thumbprint).flatmap(spellings) | VALUES.flatmap(spellings))
    given = payload, depth, now, proof, jkt
    compiled = [(twin, twin.claims.compile_rules(rules)) for twin in (native, pure)]
    one, other = (twin.claims.check(of_twin, *given) for twin, of_twin in compiled)
    event(str(Reason(one & 0xFFFF)))
    assert one == other
    # The same, as the road of claims that come without a signature of their own says it.
    for twin, of_twin in compiled:
        result = twin.token.from_claims(of_twin, twin.token.VerifiedToken, *given)
        if one == Reason.OK:
            assert (result.claims, result.header) == (json.loads(payload), {})
        else:
            assert result == one


@given(data=st.data(), **WHICH)
def test_claims_with_repeated_members(
    world: Any, agree: Any, data: st.DataObject, policy: int, certificate: int
) -> None:
    members = data.draw(
        st.lists(
            st.tuples(
                st.sampled_from(["exp", "iss", "\\u0065xp", "e\\u0078p", "cnf", "x", "X", ""]), SCALARS
            ),
            max_size=4,
        )
    )
    text = ",".join(f'"{name}":{json.dumps(value)}' for name, value in members)
    raw = world.forge(payload=encode("{" + text + "}"))
    agree(raw, policy, certificate)


@given(
    st.dictionaries(
        st.sampled_from(["alg", "typ", "kid", "crit", "b64", "jwk", "x"]),
        st.sampled_from(
            ["ES256", "ES384", "HS256", "none", "at+jwt", "JWT", "application/AT+JWT", "spare", "other"]
        )
        | st.lists(st.sampled_from(["b64", "x", "alg", "absent"]), max_size=3)
        | VALUES,
        max_size=4,
    ),
    st.integers(0, len(POLICIES) - 1),
)
def test_headers(world: Any, agree: Any, changed: dict[str, Any], policy: int) -> None:
    header = world.header() | changed
    agree(world.forge(header=encode(json.dumps(header))), policy)
    agree(world.forge(header=encode(json.dumps(changed))), policy)


@given(st.data(), st.integers(0, len(POLICIES) - 1))
def test_mutated_text(world: Any, agree: Any, data: st.DataObject, policy: int) -> None:
    """One or two changes anywhere: bits, bytes cut out, put in, doubled or swapped."""
    good = world.token(certificate=world.client).encode()
    raw = bytearray(good)
    for _ in range(data.draw(st.integers(1, 2))):
        position = data.draw(st.integers(0, len(raw) - 1))
        length = data.draw(st.integers(0, 8))
        change = data.draw(st.sampled_from(["flip", "cut", "insert", "repeat", "letter"]))
        if change == "flip":
            raw[position] ^= 1 << data.draw(st.integers(0, 7))
        elif change == "cut":
            del raw[position : position + length]
        elif change == "insert":
            raw[position:position] = data.draw(st.binary(max_size=8))
        elif change == "repeat":
            raw[position:position] = raw[position : position + length]
        else:
            raw[position] = ord(data.draw(st.sampled_from(ALPHABET + "=.+/ ")))
        if not raw:
            break
    # A token is one string: nothing but the text that was issued is accepted.
    assert agree(bytes(raw), policy) != Reason.OK or raw == good
    agree(bytes(raw).decode("latin-1"), policy)


@given(st.data())
def test_segments_of_other_tokens(world: Any, agree: Any, data: st.DataObject) -> None:
    tokens = [
        world.token().split("."),
        world.token(certificate=world.client, subject="other").split("."),
        world.forge(header=world.header(x=1), payload=b"[]").split("."),
        make_token({"alg": "none"}, world.claims(), None).split("."),
    ]
    chosen = [data.draw(st.integers(0, 3)) for _ in range(3)]
    raw = ".".join(tokens[which][segment] for segment, which in enumerate(chosen))
    verdict = agree(raw, 0)
    # The first two have the same header.
    assert (verdict == Reason.OK) == (chosen[1] == chosen[2] and {*chosen} <= {0, 1})


@given(
    st.binary(max_size=200)
    | st.text(max_size=100)
    | st.text(ALPHABET + ".=", max_size=200)
    | st.none()
    | st.integers()
    | st.lists(st.binary(max_size=3), max_size=3)
)
@example(b".")
@example(b"..")
@example("\ud800.\udfff.")
@example("." * 100)
def test_random(agree: Any, raw: Any) -> None:
    assert agree(raw, 0) != Reason.OK


@given(st.data(), st.integers(0, len(POLICIES) - 1), st.integers(1, 4))
def test_batches(
    world: Any, judge: Any, validators: Any, data: st.DataObject, policy: int, threads: int
) -> None:
    """A batch says of each token what one call says of it, whatever stands beside it."""
    stranger = SigningKey.generate("ES256", kid=world.key.kid)
    bound, forged = world.token(certificate=world.client), world.token(key=stranger)
    tokens = [
        bound,
        bound.encode(),
        forged,
        world.token(),
        world.token(lifetime=-60),
        bound[:-3] + "AAA",
        "",
        "a.b",
    ]
    tokens += [
        None,
        world.forge(payload=b"[]"),
        world.token(header={"kid": "unknown"}),
        bound + "=",
        "x" * 20_000,
    ]
    raws = data.draw(st.lists(st.sampled_from(tokens), max_size=40))
    certificates = data.draw(
        st.lists(
            st.sampled_from([None, world.client.der, world.client.thumbprint, world.stranger.der, b"x"]),
            min_size=len(raws),
            max_size=len(raws),
        )
    )
    results = validators[policy].validate_many(raws, certificates=certificates, threads=threads)
    assert len(results) == len(raws)
    for raw, certificate, result in zip(raws, certificates, results, strict=True):
        (verdict,) = judge.verdicts(validators[policy], raw, certificate)
        reason = result.reason if isinstance(result, keybound.TokenRejected) else Reason.OK
        assert reason == verdict & 0xFFFF


@given(
    st.lists(st.tuples(st.none() | st.sampled_from(["a", "b", ""]), st.integers(0, 3)), max_size=6),
    st.none() | st.sampled_from(["a", "b", "", "c"]),
    st.integers(0, 2),
)
def test_choice_of_keys(
    native: Any, pure: Any, entries: list[tuple[str | None, int]], kid: str | None, index: int
) -> None:
    def chosen(twin: Any) -> Any:
        handles = [twin.signature.load_key(1, (b"%032d" % number,)) for number in range(len(entries))]
        found = twin.token.KeyIndex(
            (name, handle, mask) for (name, mask), handle in zip(entries, handles, strict=True)
        ).candidates(kid, index)
        return int(found) if isinstance(found, int) else [handles.index(handle) for handle in found]

    assert chosen(native) == chosen(pure)


SIGNED = b"eyJhbGciOiJ4In0.e30"
KEYS = {name: SigningKey.generate(name, shared=True) for name in ALGORITHMS}
GOOD = {name: key.sign(SIGNED) for name, key in KEYS.items()}


@given(st.sampled_from(sorted(ALGORITHMS)), st.sampled_from(sorted(ALGORITHMS)), st.data())
def test_signatures(native: Any, pure: Any, alg: str, key: str, data: st.DataObject) -> None:
    """Any signature under any key by any rule; only the unchanged one under its own key is good."""
    row = ALGORITHMS[data.draw(st.sampled_from([alg, alg, key]))]
    good = GOOD[alg]
    forged = data.draw(
        st.just(good)
        | st.binary(max_size=80)
        | st.integers(0, len(good) * 8 - 1).map(
            lambda bit: (int.from_bytes(good, "big") ^ 1 << bit).to_bytes(len(good), "big")
        )
        | st.integers(0, len(good)).map(lambda at: good[at:] + good[:at])
        | st.integers(0, len(good)).map(lambda at: good[:at])
    )
    signed = data.draw(st.sampled_from([SIGNED, SIGNED[:-1], b""]))
    jwk = keybound.JWK.from_json(KEYS[key].verification_jwk())

    def verdict(twin: Any) -> bool:
        handle = twin.signature.load_key(jwk._kind, jwk._material)
        return bool(twin.signature.verify(handle, row.family, row.bits, signed, forged))

    assert verdict(native) == verdict(pure)
    if row.family is not Family.EDDSA and alg == key and row is ALGORITHMS[alg]:
        assert verdict(pure) == (forged == good and signed == SIGNED)


def lengths(size: int) -> Any:
    octets = size.to_bytes(4, "big").lstrip(b"\0")
    return st.sampled_from(
        [bytes([size & 0x7F]), b"\x80", b"\xff"]
        + [bytes([0x80 | count]) + size.to_bytes(count, "big") for count in range(len(octets), 6) if count]
    )


@given(
    st.binary(max_size=300)
    | st.binary(min_size=1, max_size=300).flatmap(
        lambda body: st.builds(
            lambda length, extra: b"\x30" + length + body + extra,
            lengths(len(body)),
            st.sampled_from([b"", b"\0"]),
        )
    )
)
@example(b"")
@example(b"\x30\x81\x80" + bytes(128))
def test_certificates(native: Any, pure: Any, der: bytes) -> None:
    assert native.digest.certificate_thumbprint(der) == pure.digest.certificate_thumbprint(der)


@given(data=st.data(), proof=st.none() | st.binary(max_size=40) | st.binary(min_size=32, max_size=32))
@example(data=None, proof=b"\x30\x01x")
def test_thumbprints(native: Any, pure: Any, world: Any, data: Any, proof: bytes | None) -> None:
    good = world.client.thumbprint
    texts = (
        [good] if data is None else [data.draw(thumbprints(good).filter(lambda value: type(value) is str))]
    )
    if data is not None:
        texts.append(data.draw(st.text(min_size=40, max_size=44)))
    for text in texts:
        assert native.claims.thumbprint_verdict(text, proof) == pure.claims.thumbprint_verdict(text, proof)


@given(data=st.data())
def test_claims_of_a_verified_token(world: Any, native: Any, pure: Any, data: st.DataObject) -> None:
    """What the application reads is the same, whichever twin made it, whole or claim by claim."""
    claims = data.draw(st.dictionaries(st.text(max_size=6), VALUES, max_size=6))
    names = [*claims, "iss", "absent", "\ud800"]
    payload = data.draw(spellings(world.claims() | claims))
    try:
        expected = json.loads(payload)
    except ValueError:
        return
    raw = world.forge(payload=payload)
    tokens = []
    for twin in (native, pure):
        policy = world.validator(allow_missing_exp=True).policy
        handle = keybound.JWK.from_json(world.key.public_jwk())
        loaded = twin.signature.load_key(handle._kind, handle._material)
        index = twin.token.KeyIndex([(world.key.kid, loaded, handle._mask)])
        compiled = twin.token.CompiledPolicy(policy.header_rules(), policy.claim_rules())
        tokens.append(twin.token.validate(compiled, index, raw, world.now, None))
    if isinstance(tokens[0], int):
        assert tokens[0] == tokens[1]
        return
    for token in tokens:
        assert token.claims == expected
        assert repr(token.claims) == repr(tokens[0].claims)
        for name in names:
            assert token.claim(name, "default") == expected.get(name, "default")
            assert type(token.claim(name)) is type(token.claims.get(name))


@given(data=st.data())
def test_issuers_that_nobody_verified(world: Any, native: Any, pure: Any, data: st.DataObject) -> None:
    rules = world.validator().policy.header_rules()
    claims = data.draw(claim_sets(world.client.thumbprint))
    payload = data.draw(spellings(claims) | st.binary(max_size=40))
    raw = data.draw(
        st.just(make_token({}, payload, None))
        | st.text(ALPHABET + ".=", max_size=20)
        | st.none()
        | st.integers()
    )
    seen = [twin.token.unverified_issuer(twin.token.CompiledHeader(rules), raw) for twin in (native, pure)]
    assert seen[0] == seen[1]
    assert type(seen[0]) is str or seen[0] != Reason.OK
