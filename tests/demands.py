"""Which test holds which demand of the documents that started this project: ``DEMANDS.md`` beside this file.

``python tests/demands.py`` writes it anew. A test holds a demand if its name (``test_s003_01_...``), its
docstring or its source names the demand; a test of the architecture keeps the file and the tests together.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

__all__ = ["DEMANDS", "LATER", "document", "holders"]

TESTS = Path(__file__).parent
TARGET = TESTS / "DEMANDS.md"

DEMANDS = {
    "S000-01": "mTLS client authentication takes an endpoint from its alias where it has one",
    "S000-02": "certificate-bound tokens take the token endpoint from the aliases",
    "S000-03": "PAR with `private_key_jwt` stays at the root, even though an alias exists",
    "S000-04": 'in "mTLS everywhere" mode every endpoint is that of the root',
    "S000-05": "in the habit of UK, Brazil and ConnectID every alias is used; the mode has a name",
    "S000-06": "a flag in the client's metadata selects its mode",
    "S000-07": "a request that reached an alias without need is rejected or accepted, as set",
    "S000-08": "an unexpected certificate is neither a failure nor a success of authentication",
    "S000-09": "the URL of an alias counts under a rule for the root only if the policy lists it",
    "S000-10": "client authentication, token binding and access control are verdicts of their own",
    "S000-11": "mTLS with `private_key_jwt`: assertion, bound token and access control on one request",
    "S000-12": "a missing certificate for access control is named as that, not as client authentication",
    "S000-13": "access control by client or by organisation, as certificate predicates",
    "S000-14": "pushed requests over mTLS with `private_key_jwt` work",
    "S000-15": "the policy is chosen per client or host, not per process",
    "S000-16": "discovery, JWK Set and PAR can each be fetched with a client certificate",
    "S000-17": "the certificate arrives as data, never as a socket",
    "S000-18": "named profiles for FAPI 1, FAPI 2, mTLS everywhere, ConnectID, Brazil, UK and CDR",
    "S001-01": "the token endpoint authenticates the client by its certificate",
    "S001-02": "a request authenticated by certificate names its `client_id`",
    "S001-03": "whether it is the right certificate for the client is pluggable",
    "S001-04": "metadata of client and authorization server are both inputs",
    "S001-05": "the resource compares the hash of the certificate with that in the token",
    "S001-06": "`x5t#S256` is base64url of SHA-256 of the DER; other forms have precise reasons",
    "S001-07": "introspection answers carry the same `cnf`, checked by the same code",
    "S002-01": "strict policies refuse an `aud` array even with one member",
    "S002-02": "`aud` of several endpoints is refused by `camara-strict-v2`",
    "S002-03": "interoperable policies accept an array with an accepted member",
    "S002-04": "one assertion through all policies, compared with the tables",
    "S002-05": "the same `jti` of the same client is refused the second time",
    "S002-06": "a request object is no client assertion",
    "S002-07": "a client assertion is no request object",
    "S002-08": "a request object whose `sub` is the client is refused everywhere",
    "S002-09": "typed request objects by a switch: off by default, on for new deployments",
    "S002-10": "request objects and assertions can have keys of their own",
    "S002-11": "a client for one flow alone can be expressed, and is off by default",
    "S002-12": "request objects are for the issuer, or for the authorization endpoint where strict",
    "S002-13": "`aud` URLs are compared code point by code point",
    "S002-14": "policies are data: printed, loaded, run in report-only mode",
    "S003-01": "bound tokens are checked however the client authenticated",
    "S003-02": "the check needs a hash, and no X.509",
    "S003-03": "a self-signed certificate passes if the hash matches",
    "S003-04": "a `cnf` that cannot be checked is a rejection",
    "S003-05": "failing open is impossible by configuration",
    "S003-06": "the SHA-256 of the certificate will do in its place",
    "S003-07": "proxy headers count only from a trusted proxy, and only once",
    "S003-08": "every request is checked with its own certificate, on cache hits too",
    "S003-09": "comparison in constant time over 32 bytes",
    "S003-10": "revocation is a matter of the token",
    "S003-11": "other token formats can call the same comparison",
    "S004-01": "`self_signed_tls_client_auth`: the certificate's key is one of the client's",
    "S004-02": "RSA and EC keys in certificates",
    "S004-03": "`tls_client_auth`: the subject DN is the registered one",
    "S004-04": "DNs are compared without regard to spaces and the case of types",
    "S004-05": "exactly one of subject DN and the four SANs per client",
    "S004-06": "both mTLS methods at once are refused at start-up",
    "S004-07": "the certificate is read from a configured header",
    "S004-08": "bound tokens carry `cnf`, also in introspection",
    "S004-08b": "the example value of RFC 8705 is not canonical, and is refused with that reason",
    "S004-09": "a resource can demand a certificate on every request",
    "S004-10": "the four response modes of JARM",
    "S004-11": "RS256 by default; another algorithm than the registered one is refused",
    "S004-12": "`iss`, `aud` and `exp` of a JARM response",
    "S004-13": "response parameters come from the payload; `state` is compared",
    "S004-14": "with a registered algorithm plain responses are refused",
    "S004-15": "with registered encryption a plain JWS is refused, and a JWE without a JWS",
    "S004-16": "twelve JWS algorithms",
    "S004-17": "the JWE algorithms, two of them by opt-in with a warning",
    "S004-18": "the six content encryptions",
    "S004-19": "metadata of the authorization server limits what is accepted",
    "S004-20": "metadata of the client is applied",
    "S004-21": "the sample response of the release notes",
    "S004-22": "the ID token as a detached signature, and the `iss` response parameter",
    "S004-23": "an old secret is good for 30 minutes",
    "S004-24": "... in every place where a secret is used",
    "S004-25": "secrets may be stored encrypted or hashed",
    "S004-26": "a hashed secret where the secret itself is needed is refused",
    "S004-27": "hashed secrets can be imported",
    "S004-28": "a request object whose `sub` is the client is `invalid_request`",
    "S004-29": "a request object that does not decrypt is `invalid_request_object`",
    "S004-30": "without `redirect_uri` and several registered: do not redirect",
    "S004-31": "static metadata is built once",
    "SX-01": "a JWT of one kind is refused in the slot of every other",
}

LATER = {
    **dict.fromkeys(("S000-10", "S000-12", "S000-13"), "access control by certificate"),
    **dict.fromkeys(("S001-01", "S001-02", "S001-03"), "client authentication by certificate"),
    "S003-07": "proxies",
    **dict.fromkeys(
        ("S004-01", "S004-02", "S004-03", "S004-04", "S004-05", "S004-06"),
        "client authentication by certificate",
    ),
    "S004-07": "proxies",
    **dict.fromkeys(("S004-25", "S004-26", "S004-27"), "client secrets"),
}
"""Demands on parts that do not exist yet."""

_NAMED = re.compile(r"\b(?:S00[0-4]-\d\db?|SX-01)\b")
_IN_A_NAME = re.compile(r"_(s00[0-4])_(\d\d)")


def holders() -> dict[str, list[str]]:
    """For each demand the tests that name it, as ``path::name``."""
    found: dict[str, list[str]] = {demand: [] for demand in DEMANDS}
    for path in sorted(TESTS.rglob("test_*.py")):
        source = path.read_text(encoding="utf-8")
        for name, text in _tests(source):
            named = set(_NAMED.findall(text))
            named |= {f"{seed.upper()}-{number}" for seed, number in _IN_A_NAME.findall(name)}
            for demand in named & found.keys():
                found[demand].append(f"{path.relative_to(TESTS).as_posix()}::{name}")
    return found


def _tests(source: str) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_"):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            yield node.name, "\n".join(source.splitlines()[first - 1 : node.end_lineno])


def document() -> str:
    """The table, in Markdown."""
    lines = [
        "# Demands",
        "",
        "What the documents that started this project demand, and the tests that hold it. Written by",
        "`python tests/demands.py`.",
        "",
        "| Demand | What it says | Held by |",
        "|---|---|---|",
    ]
    for demand, tests in holders().items():
        held = "<br>".join(f"`{test}`" for test in tests) or f"not yet: {LATER.get(demand, 'NOT HELD')}"
        lines.append(f"| {demand} | {DEMANDS[demand]} | {held} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TARGET.write_text(document(), encoding="utf-8")
