"""Which test holds which demand of the documents that started this project, and which lesson of those who
ran other validators: ``DEMANDS.md`` beside this file.

``python tests/demands.py`` writes it anew. A test holds a demand if its name (``test_s003_01_...``), its
docstring or its source names the demand, and a lesson if its docstring does: P1 is short enough to turn up
elsewhere. A test of the architecture keeps the file and the tests together.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

__all__ = ["DEMANDS", "FIELD", "LATER", "document", "holders", "lessons_in"]

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

FIELD = {
    "F-1": "a thousand unknown kids cause one fetch, whatever the endpoint answers",
    "F-2": "in an outage known kids pass until `max_stale`; then it is unavailable, and never invalid",
    "F-3": "a refresh that hangs changes neither the latency of a known kid nor that of an event loop",
    "F-4": "tokens of a key that was withdrawn die with the next refresh, those that were kept too",
    "F-5": "two validators of different policy accept nothing of each other's through a cache",
    "F-6": "two tokens alike at both ends are two tokens",
    "F-7": "a kept token is refused once it has expired, and no clock that steps back revives it",
    "F-8": "a bound token is refused without its proof or certificate, on a cache hit too",
    "F-9": "DPoP proofs are used once, by key, after every other check, and remembered for their whole life",
    "F-10": "odd keys of a JWK Set are skipped and counted, and the others stay good",
    "F-11": "an answer that is no JWK Set, is too large or comes from elsewhere replaces nothing",
    "F-12": "tokens of AWS load balancers only where asked for; base64url is strict everywhere else",
    "F-13": "a forged token without kid costs at most one signature operation, however many keys there are",
    "F-14": "no token makes a validator unavailable",
    "F-15": "large junk is refused by its size, before any other work",
    "F-16": "certificates in header fields count only from a trusted proxy, and only if it verified them",
    "F-17": "a child process refreshes on its own: no deadlock, no shared socket",
    "F-18": "nothing of a token is in errors, logs or what is printed, and no control character of a kid",
    "P1": "an outage of the issuer is none of the resource server until a bound in time",
    "P2": "an unknown kid is no way to make others fetch",
    "P3": "no reader waits for a refresh",
    "P4": "one object for threads and event loops, which it never blocks",
    "P5": "the same token is not verified again and again",
    "P6": "a cache of verified tokens never says what a new validation would not",
    "P7": "a token is validated in one call of native code, many tokens on all cores",
    "P7b": "an application for `auth_request`, forward-auth and ext_authz",
    "P8": "a key that was removed is not trusted any longer",
    "P15": "many issuers, each with its own rules, keys and failures; unknown ones are rejected",
    "P16": "a bad token and no answer are different errors; reasons are stable and have a challenge",
    "P17": "one odd key does not make a JWK Set unusable",
    "P18": "a kid that several keys have, and tokens without one",
    "P19": "no wall clock extends the life of what is kept",
    "P20": "tokens of AWS load balancers have a validator of their own",
    "P21": "what is cheap to refuse is refused before what is dear",
    "P22": "deadlines for connecting, for reading and for everything, one retry, a ceiling for the answer",
    "P23": "proxies, private authorities, header fields, and any transport",
    "P24": "`Cache-Control` within bounds, and `ETag`",
    "P25": "keys at the start of a process, from a file or from another process; a quick import",
    "P26": "presets of providers are data, and a template takes listed tenants only",
    "P31": "a validator is made once and used by everybody; who makes it for each request is told",
    "P32": "processes: safe across fork, spread refreshes, one fetch for those who share, no early thread",
    "P33": "tokens that were revoked, by a hook or a list, on cache hits too",
    "P34": "opaque tokens behind the same interface, asked about once",
    "P35": "counters, events and metrics, without labels from tokens",
    "P38": "nothing comes over http, from another origin or for another issuer; private networks by option",
    "P39": "no secret in errors, logs and what is printed",
}
"""What operators of gateways and users of other validators suffer from (P) and ask to be tested (F)."""

LATER = {
    **dict.fromkeys(("S000-10", "S000-12", "S000-13"), "access control by certificate"),
    **dict.fromkeys(("S001-01", "S001-02", "S001-03"), "client authentication by certificate"),
    "S003-07": "proxies",
    **dict.fromkeys(
        ("S004-01", "S004-02", "S004-03", "S004-04", "S004-05", "S004-06"),
        "client authentication by certificate",
    ),
    "S004-07": "proxies",
    "F-16": "proxies",
    "P7b": "integrations",
    **dict.fromkeys(("S004-25", "S004-26", "S004-27"), "client secrets"),
}
"""Demands on parts that do not exist yet, and lessons for them."""

_NAMED = re.compile(r"\b(?:S00[0-4]-\d\db?|SX-01)\b")
_IN_A_NAME = re.compile(r"_(s00[0-4])_(\d\d)")
# P-256 and P256 are curves.
_LESSON = re.compile(r"\b(?:F-\d{1,2}|P\d{1,2}b?)\b")


def holders() -> dict[str, list[str]]:
    """For each demand and lesson the tests that name it, as ``path::name``."""
    found: dict[str, list[str]] = {named: [] for named in DEMANDS | FIELD}
    for path in sorted(TESTS.rglob("test_*.py")):
        source = path.read_text(encoding="utf-8")
        for name, text, docstring in _tests(source):
            named = set(_NAMED.findall(text)) | lessons_in(docstring)
            named |= {f"{seed.upper()}-{number}" for seed, number in _IN_A_NAME.findall(name)}
            for demand in named & found.keys():
                found[demand].append(f"{path.relative_to(TESTS).as_posix()}::{name}")
    return found


def lessons_in(docstring: str) -> set[str]:
    """The lessons that a docstring names."""
    return set(_LESSON.findall(docstring))


def _tests(source: str) -> Iterator[tuple[str, str, str]]:
    """Name, source and docstring of every test."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_"):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            text = "\n".join(source.splitlines()[first - 1 : node.end_lineno])
            yield node.name, text, ast.get_docstring(node) or ""


def document() -> str:
    """The tables, in Markdown."""
    held = holders()
    lines = [
        "# Demands",
        "",
        "What the documents that started this project demand, and the tests that hold it. Written by",
        "`python tests/demands.py`.",
        "",
        *_table("Demand", DEMANDS, held),
        "",
        "# Lessons from the field",
        "",
        "What operators of gateways and users of other validators suffer from (P) and ask to be tested (F),",
        "and the tests that hold it here. `python bench/field.py` shows some of it beside another library.",
        "",
        *_table("Lesson", FIELD, held),
    ]
    return "\n".join(lines) + "\n"


def _table(title: str, sentences: Mapping[str, str], held: Mapping[str, list[str]]) -> Iterator[str]:
    yield f"| {title} | What it says | Held by |"
    yield "|---|---|---|"
    for named, sentence in sentences.items():
        tests = "<br>".join(f"`{test}`" for test in held[named])
        yield f"| {named} | {sentence} | {tests or 'not yet: ' + LATER.get(named, 'NOT HELD')} |"


if __name__ == "__main__":
    TARGET.write_text(document(), encoding="utf-8")
