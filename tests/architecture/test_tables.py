"""A row of a table is whole: it has its vectors, its cases and its line in every other table."""

from __future__ import annotations

import importlib
import json
import pkgutil
from pathlib import Path
from typing import Any

import pytest

from keybound import (
    JWK,
    AccessTokenValidator,
    DecryptionKey,
    DecryptionRejected,
    JWKSet,
    Reason,
    SignatureRejected,
    TokenRejected,
    about,
    jwe,
    jws,
    profiles,
)
from keybound._hotpath.contract import Family, Kind
from keybound.jose import jwk, key_management, numbers
from keybound.jose.algorithms import ALGORITHMS, algorithms_for
from keybound.jose.jwe_algorithms import (
    CONTENT_ENCRYPTIONS,
    KEY_ALGORITHMS,
    ContentMode,
    KeyManagement,
    KeyType,
)
from keybound.kinds import TokenKind
from keybound.policy import Profile
from keybound.testing import ALGORITHMS as SIGNED
from keybound.testing import ENCRYPTION_ALGORITHMS, ENCRYPTIONS, OMIT, CertificateAuthority, FakeIssuer

VECTORS = json.loads(Path(__file__).parents[1].joinpath("vectors/algorithms.json").read_bytes())
"""For each algorithm a key and a JWS that ``cryptography`` signed, once for each kind of key it takes."""

ENCRYPTED = json.loads(Path(__file__).parents[1].joinpath("vectors/encryption.json").read_bytes())
"""For each algorithm a key and a JWE that jwcrypto made, once for each type of key it takes.

For RSA-OAEP-384 and RSA-OAEP-512, which jwcrypto does not have, the command of OpenSSL encrypted the key.
"""

ISSUERS = {alg: FakeIssuer("https://as.example.com", alg=alg) for alg in ("ES256", "PS256")}
CLIENT = CertificateAuthority().issue_client("client-1")
UNBOUND: dict[Reason, dict[str, Any]] = {Reason.CNF_MISSING: {"certificate": None}}
UNTIMED: dict[Reason, dict[str, Any]] = {Reason.EXP_MISSING: {"exp": OMIT}}
REJECTED: dict[str, dict[Reason, dict[str, Any]]] = {
    "oauth": {
        Reason.EXP_MISSING: {"exp": OMIT},
        Reason.TYP_NOT_ALLOWED: {"header": {"typ": "dpop+jwt"}},
    },
    "rfc9068": {
        Reason.ISS_MISSING: {"iss": OMIT},
        Reason.EXP_MISSING: {"exp": OMIT},
        Reason.AUD_MISSING: {"aud": OMIT},
        Reason.SUB_MISSING: {"sub": OMIT},
        Reason.CLIENT_ID_MISSING: {"client_id": OMIT},
        Reason.IAT_MISSING: {"iat": OMIT},
        Reason.JTI_MISSING: {"jti": OMIT},
        Reason.TYP_MISSING: {"header": {"typ": OMIT}},
        Reason.TYP_NOT_ALLOWED: {"header": {"typ": "JWT"}},
    },
    **dict.fromkeys(("fapi1-baseline", "ciba", "camara-2024", "camara-2026"), UNTIMED),
    **dict.fromkeys(
        (
            *("fapi1-advanced", "fapi2-draft", "fapi2", "fapi2-mtls-everywhere", "fapi2-message-signing"),
            *("fapi-ciba", "brazil", "uk", "cdr", "connectid"),
        ),
        UNTIMED | UNBOUND,
    ),
}
"""For each profile what it rejects, by the one change to a good token that is to blame."""

ACCEPTED: dict[str, list[dict[str, Any]]] = {
    "oauth": [
        {},
        {"header": {"typ": "JWT"}},
        {"header": {"typ": OMIT}},
        {"sub": OMIT, "jti": OMIT, "client_id": OMIT, "iat": OMIT},
    ],
    "rfc9068": [{}, {"header": {"typ": "application/AT+JWT"}}, {"scope": OMIT}],
    **{name: [{}] for name in REJECTED if name not in ("oauth", "rfc9068")},
}


def judge(profile: Profile, changes: dict[str, Any]) -> Reason:
    alg = next(alg for alg in ISSUERS if profile.algorithms is None or alg in profile.algorithms)
    issuer = ISSUERS[alg]
    validator = AccessTokenValidator(
        issuer=issuer.issuer,
        audience="https://rs.example.com",
        keys=JWKSet.from_json(issuer.jwks()),
        algorithms=[alg],
        profile=profile,
    )
    try:
        validator.validate(issuer.access_token(**{"certificate": CLIENT} | changes), certificate=CLIENT.der)
    except TokenRejected as rejected:
        return rejected.reason
    return Reason.OK


class TestAlgorithms:
    def test_each_has_a_vector_for_each_kind_of_key(self):
        covered = {(vector["alg"], JWK.from_json(vector["jwk"])._kind) for vector in VECTORS}
        assert covered == {(row.name, kind) for row in ALGORITHMS.values() for kind in row.kinds}

    @pytest.mark.parametrize(
        "vector", VECTORS, ids=lambda vector: f"{vector['alg']}-{vector['jwk'].get('crv', '')}"
    )
    def test_vectors(self, vector):
        key, algorithms = JWK.from_json(vector["jwk"]), [vector["alg"]]
        assert (
            jws.verify(vector["jws"], key, algorithms=algorithms).payload
            == f"signed with {vector['alg']}".encode()
        )
        header, payload, signature = vector["jws"].split(".")
        with pytest.raises(SignatureRejected):
            jws.verify(f"{header}.{payload}AAAA.{signature}", key, algorithms=algorithms)

    def test_each_can_be_signed_for_tests(self):
        assert set(SIGNED) == set(ALGORITHMS)

    def test_each_has_a_provider(self):
        assert set(about()["algorithms"]) == set(ALGORITHMS)
        assert all(about()["algorithms"].values())

    def test_every_kind_and_family_is_used(self):
        assert {kind for row in ALGORITHMS.values() for kind in row.kinds} == set(Kind)
        assert {row.family for row in ALGORITHMS.values()} == set(Family)
        assert all(algorithms_for(kind) for kind in Kind)

    def test_every_kind_has_its_place_in_the_tables_of_keys(self):
        assert set(jwk._TYPES) == set(Kind)
        assert set(jwk._TYPES.values()) == set(jwk._MEMBERS)
        assert set(jwk._CURVE_NAMES) == set(numbers.FIELD_BITS) == set(Kind) - {Kind.SECRET, Kind.RSA}


class TestEncryption:
    def test_each_has_a_vector_for_each_type_of_key(self):
        keys = [(vector["alg"], DecryptionKey.from_json(vector["jwk"])) for vector in ENCRYPTED]
        covered = {(alg, key.kty, key.curve) for alg, key in keys}
        assert covered == {
            (row.name, kind.kty, kind.curve) for row in KEY_ALGORITHMS.values() for kind in row.types
        }
        assert {vector["enc"] for vector in ENCRYPTED} == set(CONTENT_ENCRYPTIONS)
        direct = {vector["enc"] for vector in ENCRYPTED if vector["alg"] == "dir"}
        assert direct == set(CONTENT_ENCRYPTIONS)

    @pytest.mark.parametrize("many", [False, True], ids=["alone", "among all"])
    @pytest.mark.parametrize("vector", ENCRYPTED, ids=lambda vector: vector["plaintext"])
    @pytest.mark.filterwarnings("ignore::keybound.DeprecatedAlgorithmWarning")
    def test_vectors(self, vector, many):
        key, row = DecryptionKey.from_json(vector["jwk"]), KEY_ALGORITHMS[vector["alg"]]
        secret = key.kty == "oct"
        family = [each.name for each in KEY_ALGORITHMS.values() if (KeyType.SECRET in each.types) is secret]
        names = family if many else [row.name]
        options = {
            "algorithms": names,
            "encryptions": [*CONTENT_ENCRYPTIONS] if many else [vector["enc"]],
            "allow_deprecated": [name for name in names if KEY_ALGORITHMS[name].deprecated],
        }
        assert jwe.decrypt(vector["jwe"], key, **options).plaintext.decode() == vector["plaintext"]
        head, _, tag = vector["jwe"].rpartition(".")
        changed = ("B" if tag[0] == "A" else "A") + tag[1:]
        with pytest.raises(DecryptionRejected):
            jwe.decrypt(f"{head}.{changed}", key, **options)

    def test_each_can_be_made_for_tests(self):
        assert set(ENCRYPTION_ALGORITHMS) == set(KEY_ALGORITHMS)
        assert set(ENCRYPTIONS) == set(CONTENT_ENCRYPTIONS)

    def test_every_way_is_used_and_known_where_it_is_gone(self):
        rows = KEY_ALGORITHMS.values()
        assert {row.management for row in rows} == set(KeyManagement) == set(key_management._OPENERS)
        assert {row.mode for row in CONTENT_ENCRYPTIONS.values()} == set(ContentMode)
        assert {kind for row in rows for kind in row.types} == set(KeyType)
        hashes = {row.bits for row in rows if row.management is KeyManagement.RSA_OAEP}
        assert hashes == set(key_management._OAEP_HASHES)


class TestProfiles:
    def test_the_table_is_complete(self):
        found = {
            id(value): value
            for module in pkgutil.iter_modules(profiles.__path__, "keybound.profiles.")
            for value in vars(importlib.import_module(module.name)).values()
            if isinstance(value, Profile)
        }
        assert {profile.name: profile for profile in found.values()} == dict(profiles.PROFILES)
        assert len(found) == len(profiles.PROFILES)

    def test_each_is_offered_under_its_name(self):
        names = (name.upper().replace("-", "_") for name in profiles.PROFILES)
        assert sorted(profiles.__all__) == sorted(["PRESETS", "PROFILES", "Preset", *names])
        for name, profile in profiles.PROFILES.items():
            assert profile.name == name
            assert getattr(profiles, name.upper().replace("-", "_")) is profile
            assert profile.source

    def test_each_accepts_and_rejects(self):
        assert set(ACCEPTED) == set(REJECTED) == set(profiles.PROFILES)
        assert all(ACCEPTED.values())
        assert all(REJECTED.values())

    @pytest.mark.parametrize("name", profiles.PROFILES)
    def test_every_demand_has_a_rejection(self, name):
        profile, reasons = profiles.PROFILES[name], set(REJECTED[name])
        rules = profile.rules(TokenKind.ACCESS_TOKEN)
        demanded = {Reason[f"{claim.upper()}_MISSING"] for claim in rules.required_claims}
        demanded |= {Reason.TYP_MISSING} if rules.typ_required else set()
        demanded |= {Reason.CNF_MISSING} if profile.binding == "required" else set()
        assert demanded <= reasons

    @pytest.mark.parametrize(
        ("name", "changes"), [(name, case) for name, cases in ACCEPTED.items() for case in cases], ids=str
    )
    def test_what_is_accepted(self, name, changes):
        assert judge(profiles.PROFILES[name], changes) is Reason.OK

    @pytest.mark.parametrize(
        ("name", "reason"), [(name, reason) for name, cases in REJECTED.items() for reason in cases], ids=str
    )
    def test_what_is_rejected(self, name, reason):
        assert judge(profiles.PROFILES[name], REJECTED[name][reason]) is reason
