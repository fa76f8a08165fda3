"""``cnf.jkt`` against the key of a DPoP proof: fail closed, whatever it holds (RFC 9449, 6.1 and 7)."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest

import keybound
from keybound.errors import Reason
from keybound.testing import OMIT, SigningKey, dpop_proof

STRANGER = SigningKey.generate("ES256")


@pytest.fixture(scope="module")
def bound(world: Any) -> str:
    token: str = world.token(dpop_key=world.dpop_key)
    return token


def test_bound_token_with_its_proof(world: Any, judge: Any, bound: str) -> None:
    """S003-04: the one good case."""
    token = judge.accepts(bound, proof=world.proof(bound))
    assert token.confirmation == {"jkt": world.dpop_key.thumbprint}


def test_bound_token_as_a_bearer_token(world: Any, judge: Any, bound: str) -> None:
    """S003-04, S003-05, F-8 (mcp-oauth#383): RFC 9449, 7.2 forbids the downgrade in any scheme."""
    rejected = judge.rejects(bound, Reason.DPOP_PROOF_MISSING)
    assert rejected.challenge(algs=["ES256"]).startswith('DPoP error="invalid_token", ')
    # A client certificate is no proof of another key.
    judge.rejects(bound, Reason.DPOP_PROOF_MISSING, certificate=world.client.der)


def test_proof_of_another_key(world: Any, judge: Any, bound: str) -> None:
    rejected = judge.rejects(bound, Reason.DPOP_KEY_MISMATCH, proof=world.proof(bound, key=STRANGER))
    assert rejected.challenge().endswith('algs="ES256 PS256 Ed25519"')
    assert (rejected.error, rejected.status) == ("invalid_token", 401)


def test_proof_made_for_another_token(world: Any, judge: Any, bound: str) -> None:
    """RFC 9449, 7: the same key, two tokens, one proof."""
    another = world.token(dpop_key=world.dpop_key)
    judge.rejects(bound, Reason.DPOP_TOKEN_MISMATCH, proof=world.proof(another))
    judge.rejects(another, Reason.DPOP_TOKEN_MISMATCH, proof=world.proof(bound))


def test_proof_made_for_no_token(world: Any, judge: Any, bound: str) -> None:
    """A proof for a token endpoint opens no resource."""
    judge.rejects(bound, Reason.DPOP_TOKEN_MISMATCH, proof=world.proof(None))


def test_proof_beside_a_token_that_is_not_bound_to_a_key(world: Any, judge: Any) -> None:
    for options in ({}, {"certificate": world.client}):
        raw = world.token(**options)
        certificate = world.client.der if options else None
        judge.accepts(raw, certificate=certificate)
        judge.rejects(raw, Reason.DPOP_PROOF_UNEXPECTED, certificate=certificate, proof=world.proof(raw))
        judge.rejects(raw, Reason.DPOP_PROOF_UNEXPECTED, certificate=certificate, proof=world.proof(None))


def test_other_reasons_come_first(world: Any, judge: Any) -> None:
    """What would be bad for the rightful holder as well is said to everybody."""
    expired = world.token(dpop_key=world.dpop_key, lifetime=-60)
    rejected = judge.rejects(expired, Reason.TOKEN_EXPIRED, proof=world.proof(expired))
    # RFC 9449, 7.2: the scheme that was tried is the one that is answered.
    assert rejected.challenge() == (
        'DPoP error="invalid_token", error_description="The token has expired", algs="ES256 PS256 Ed25519"'
    )
    bearer = world.token(certificate=world.client)
    judge.rejects(bearer, Reason.CERTIFICATE_MISSING, proof=world.proof(bearer))


def test_both_methods_at_once(world: Any, judge: Any) -> None:
    """S003-04: several methods are refused, even with both proofs at hand."""
    both = world.token(dpop_key=world.dpop_key, certificate=world.client)
    judge.rejects(both, Reason.CNF_AMBIGUOUS, certificate=world.client.der, proof=world.proof(both))


def test_modes_of_binding(world: Any, judge: Any, bound: str) -> None:
    """S003-05: a route that demands bound tokens takes no others; looking away has to be typed out."""
    unbound = world.token()
    for mode in ("if-present", "required"):
        judge.accepts(bound, proof=world.proof(bound), binding=mode)
        judge.rejects(bound, Reason.DPOP_PROOF_MISSING, binding=mode)
    judge.rejects(unbound, Reason.CNF_MISSING, binding="required")
    judge.rejects(unbound, Reason.CNF_MISSING, binding="required", proof=world.proof(unbound))
    for proof in (None, world.proof(bound), world.proof(None), world.proof(bound, key=STRANGER)):
        judge.accepts(bound, binding="ignore", proof=proof)
        judge.accepts(unbound, binding="ignore", proof=proof)
        judge.accepts(world.token(cnf=5), binding="ignore", proof=proof)


def test_every_presentation_is_checked(world: Any, bound: str) -> None:
    """F-8, S003-08: what is known of the token says nothing about who presents it now."""
    validator = world.validator()
    good, stranger = world.proof(bound).validated(), world.proof(bound, key=STRANGER).validated()
    other = world.proof(world.token()).validated()
    for _ in range(3):
        assert validator.validate(bound, dpop=good)
        for dpop, reason in (
            (None, Reason.DPOP_PROOF_MISSING),
            (stranger, Reason.DPOP_KEY_MISMATCH),
            (other, Reason.DPOP_TOKEN_MISMATCH),
        ):
            with pytest.raises(keybound.BindingRejected) as caught:
                validator.validate(bound, dpop=dpop)
            assert caught.value.reason is reason
    unbound = world.token()
    for _ in range(3):
        assert validator.validate(unbound)
        with pytest.raises(keybound.BindingRejected) as caught:
            validator.validate(unbound, dpop=world.proof(unbound).validated())
        assert caught.value.reason is Reason.DPOP_PROOF_UNEXPECTED
    assert validator.stats()["cache"]["hits"] == 16


def test_token_as_bytes_or_text(world: Any, bound: str) -> None:
    validator = world.validator()
    for made_for in (bound, bound.encode()):
        text = dpop_proof(world.dpop_key, access_token=bound, clock=world.clock)
        dpop = world.proofs.validate(
            text, method="GET", url="https://rs.example.com/resource", access_token=made_for
        )
        for raw in (bound, bound.encode()):
            assert validator.validate(raw, dpop=dpop).claims["cnf"] == {"jkt": dpop.thumbprint}


@pytest.mark.parametrize("raw", [None, 5, b"", "", ["x"]])
def test_no_token_with_a_proof(world: Any, bound: str, raw: Any) -> None:
    with pytest.raises(keybound.MalformedToken) as caught:
        world.validator().validate(raw, dpop=world.proof(bound).validated())
    assert caught.value.scheme.name == "DPoP"


@pytest.mark.parametrize("dpop", ["text", b"bytes", 5, {"jkt": "x"}, object(), keybound.DPoPProof])
def test_what_is_no_validated_proof(world: Any, bound: str, dpop: Any) -> None:
    """The text of a proof has not been validated, and there is no other way to make a proof."""
    validator = world.validator()
    for _ in range(2):
        for call in (
            lambda: validator.validate(bound, dpop=dpop),
            lambda: validator.explain(bound, dpop=dpop),
            lambda: validator.validate_many([bound], dpop_proofs=[dpop]),
        ):
            with pytest.raises(keybound.PolicyError):
                call()


def test_proof_that_nobody_made(world: Any, bound: str) -> None:
    hollow = keybound.DPoPProof.__new__(keybound.DPoPProof)
    with pytest.raises((TypeError, AttributeError, keybound.PolicyError)):
        world.validator().validate(bound, dpop=hollow)


# What the thumbprint may look like


@pytest.mark.parametrize("value", [None, 5, True, [], {}, ["x"], 1.5])
def test_thumbprint_of_another_type(world: Any, judge: Any, value: Any) -> None:
    judge.rejects(world.token(cnf={"jkt": value}), Reason.CNF_JKT_INVALID)


@pytest.mark.parametrize(
    "change",
    [
        lambda digest, text: "",
        lambda digest, text: text[:-1],
        lambda digest, text: text + "A",
        lambda digest, text: text + "=",
        lambda digest, text: " " + text[:-1],
        lambda digest, text: text[:20] + "+" + text[21:],
        lambda digest, text: text[:20] + "é" + text[21:],
        lambda digest, text: text[:-1] + "\x80",
        lambda digest, text: digest.hex(),
        lambda digest, text: base64.b64encode(digest).decode(),
        lambda digest, text: "urn:ietf:params:oauth:jwk-thumbprint:sha-256:" + text,
        lambda digest, text: base64.urlsafe_b64encode(hashlib.sha1(digest).digest()).decode().rstrip("="),
    ],
)
def test_thumbprint_in_another_encoding(world: Any, judge: Any, change: Any) -> None:
    text = world.dpop_key.thumbprint
    raw = world.token(cnf={"jkt": change(base64.urlsafe_b64decode(text + "="), text)})
    for proof in (None, world.proof(raw)):
        judge.rejects(raw, Reason.CNF_JKT_INVALID, proof=proof)


def test_thumbprint_with_loose_ends(world: Any, judge: Any) -> None:
    """RFC 4648, 3.5: the same octets in another spelling are not the same thumbprint."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    text = world.dpop_key.thumbprint
    for step in (1, 2, 3):
        last = alphabet[alphabet.index(text[-1]) + step]
        raw = world.token(cnf={"jkt": text[:-1] + last})
        judge.rejects(raw, Reason.CNF_JKT_NOT_CANONICAL, proof=world.proof(raw))


@pytest.mark.parametrize(
    "text", ['"cnf":{{"jkt":"{}"}}', '"c\\u006ef" : {{ "j\\u006bt" : "{}" }}', '"cnf":{{"\\u006akt":"{}"}}']
)
def test_confirmation_in_another_json_spelling(world: Any, judge: Any, text: str) -> None:
    thumbprint = world.dpop_key.thumbprint
    for spelled in (thumbprint, "".join(f"\\u{ord(letter):04x}" for letter in thumbprint)):
        raw = world.with_text(text.format(spelled))
        judge.accepts(raw, proof=world.proof(raw))
        judge.rejects(raw, Reason.DPOP_KEY_MISMATCH, proof=world.proof(raw, key=STRANGER))
        judge.rejects(raw, Reason.DPOP_PROOF_MISSING)


@pytest.mark.parametrize("name", ["JKT", "jkt ", "jkt\0", "jk", "jkt#S256"])
def test_names_of_the_method_are_compared_exactly(world: Any, judge: Any, name: str) -> None:
    raw = world.token(cnf={name: world.dpop_key.thumbprint})
    judge.rejects(raw, Reason.CNF_UNSUPPORTED, proof=world.proof(raw))


def test_proof_for_a_token_without_cnf_at_all(world: Any, judge: Any) -> None:
    raw = world.token(cnf=OMIT)
    judge.accepts(raw)
    judge.rejects(raw, Reason.DPOP_PROOF_UNEXPECTED, proof=world.proof(raw))


# Several at once


def test_batches(world: Any, bound: str) -> None:
    validator = world.validator()
    another, plain = world.token(dpop_key=STRANGER), world.token()
    good, wrong = world.proof(bound).validated(), world.proof(another).validated()
    raws = [bound, another, bound, plain, plain, bound]
    proofs = [good, None, wrong, None, good, good]
    expected = [
        Reason.OK,
        Reason.DPOP_PROOF_MISSING,
        Reason.DPOP_TOKEN_MISMATCH,
        Reason.OK,
        Reason.DPOP_PROOF_UNEXPECTED,
        Reason.OK,
    ]
    for _ in range(2):
        results = validator.validate_many(raws, dpop_proofs=proofs, threads=2)
        assert [getattr(result, "reason", Reason.OK) for result in results] == expected
    assert results[4].scheme.name == "DPoP"
    assert results[1].scheme.name == "DPoP"


@pytest.mark.parametrize("proofs", [[], [None, None], "x", {"a": None}, 5])
def test_batches_with_a_list_that_does_not_fit(world: Any, bound: str, proofs: Any) -> None:
    with pytest.raises(keybound.PolicyError):
        world.validator().validate_many([bound], dpop_proofs=proofs)


def test_explanation(world: Any, bound: str) -> None:
    validator = world.validator()
    by_name = {check.name: check for check in validator.explain(bound).checks}
    assert by_name["confirmation"].reason is Reason.DPOP_PROOF_MISSING
    assert validator.explain(bound, dpop=world.proof(bound).validated()).reason is Reason.OK
