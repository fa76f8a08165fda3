"""The documents say what the code does: examples run, and every table is that of the code."""

from __future__ import annotations

import doctest
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import keybound
from keybound import limits, profiles
from keybound._hotpath import contract, signature
from keybound._hotpath.contract import Family, Kind
from keybound._hotpath.pure import signature as pure_signature
from keybound.audience import POLICIES, AudiencePolicy
from keybound.audience import table as table_of_policies
from keybound.binding import certificate
from keybound.clock import system_clock
from keybound.configuration.rules import RULES
from keybound.errors import rejection
from keybound.jose import numbers
from keybound.jose.algorithms import ALGORITHMS
from keybound.jose.jwe_algorithms import CONTENT_ENCRYPTIONS, KEY_ALGORITHMS, KeyManagement
from keybound.jose.jwk import _CURVE_NAMES, _TYPES
from keybound.keys.refresh import DEFAULT_REFRESH
from keybound.kinds import TokenKind
from keybound.limits import DEFAULT_CACHE, DEFAULT_LIMITS, Limits
from keybound.metrics import FAMILIES
from keybound.testing import FakeIssuer

ROOT = Path(__file__).parents[2]
ROOMS = ("audience", "clients", "configuration", "keys", "metrics", "profiles", "stores", "tokens")
GUIDES = {room: f"src/keybound/{room}/README.md" for room in ROOMS}
DOCUMENTS = ("README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md", "ext/README.md", *GUIDES.values())
TEXTS = {name: (ROOT / name).read_text(encoding="utf-8") for name in DOCUMENTS}
OPTIONS = inspect.signature(keybound.AccessTokenValidator.__init__).parameters
DASHES = re.compile(r"\|(?:-+\|)+")

every_document = pytest.mark.parametrize("document", DOCUMENTS)


def table(document: str, *titles: str) -> list[tuple[str, ...]]:
    """The rows of the one table with these column titles; cells without their code marks."""
    lines = TEXTS[document].splitlines()
    starts = [at for at, line in enumerate(lines) if cells(line) == titles]
    assert len(starts) == 1, f"{document} has {len(starts)} tables with the columns {titles}"
    assert DASHES.fullmatch(lines[starts[0] + 1])
    rows = []
    for line in lines[starts[0] + 2 :]:
        if not line.startswith("|"):
            break
        rows.append(cells(line))
    return rows


def cells(line: str) -> tuple[str, ...]:
    return tuple(cell.strip().replace("`", "") for cell in line.strip("|").split("|"))


def fenced(document: str, *languages: str) -> Iterator[tuple[str, str]]:
    """The fenced blocks in these languages, in order, each with its language."""
    for block in re.finditer(r"^```(\w+)\n(.*?)^```$", TEXTS[document], re.DOTALL | re.MULTILINE):
        if block[1] in languages:
            yield block[1], block[2]


def resolve(dotted: str) -> object:
    """The object that a dotted name stands for: a module, or what is found in one."""
    try:
        return importlib.import_module(dotted)
    except ModuleNotFoundError:
        module, _, name = dotted.rpartition(".")
        return getattr(resolve(module), name)


def run_examples(document: str, namespace: dict[str, object]) -> set[str]:
    """Run them all; the languages that there were."""
    parser, output, languages = doctest.DocTestParser(), [], set()
    for language, text in fenced(document, "python", "pycon"):
        languages.add(language)
        if language == "python":
            exec(compile(text, document, "exec"), namespace)
            continue
        example = parser.get_doctest(text, namespace, document, document, 0)
        doctest.DocTestRunner(verbose=False).run(example, out=output.append, clear_globs=False)
        namespace.update(example.globs)
    assert not output, "".join(output)
    return languages


def test_examples_run_and_print_what_they_show():
    assert run_examples("README.md", {}) == {"python", "pycon"}


@pytest.fixture(scope="module")
def first_example() -> dict[str, object]:
    """What the example of the README has made, with which the guides go on."""
    namespace: dict[str, object] = {}
    exec(next(text for _, text in fenced("README.md", "python")), namespace)
    return namespace


@pytest.mark.parametrize("document", GUIDES.values())
def test_examples_of_guides_run_and_print_what_they_show(document, first_example):
    assert "python" in run_examples(document, dict(first_example))


def test_the_readme_leads_to_every_guide():
    linked = {target.partition("#")[0] for target in re.findall(r"\]\(([^)]+)\)", TEXTS["README.md"])}
    assert set(GUIDES.values()) <= linked
    assert sorted(path.parent.name for path in (ROOT / "src/keybound").glob("*/README.md")) == sorted(ROOMS)


def test_algorithm_table_is_that_of_the_code():
    shown = table("README.md", "alg", "Signature", "Key", "Hash", "Native", "Pure")
    schemes = {
        Family.HMAC: "HMAC",
        Family.RSA_PKCS1: "RSASSA-PKCS1-v1_5",
        Family.RSA_PSS: "RSASSA-PSS",
        Family.ECDSA: "ECDSA",
        Family.EDDSA: "EdDSA",
    }

    def key(kind: Kind) -> str:
        return f"{_TYPES[kind]} {_CURVE_NAMES.get(kind, '')}".strip()

    def joined(names: Iterator[str]) -> str:
        return " or ".join(dict.fromkeys(names))

    def row(name: str) -> tuple[str, ...]:
        algorithm = ALGORITHMS[name]
        hashed = f"SHA-{algorithm.bits}" if algorithm.bits else "part of the scheme"
        pure = joined(pure_signature.provider(kind) for kind in algorithm.kinds)
        return name, schemes[algorithm.family], joined(map(key, algorithm.kinds)), hashed, pure

    assert [(*cells[:4], cells[5]) for cells in shown] == [row(name) for name in ALGORITHMS]
    if keybound.BACKEND == "native":
        native = [joined(map(signature.provider, row.kinds)) for row in ALGORITHMS.values()]
        assert [cells[4] for cells in shown] == native


def test_encryption_table_is_that_of_the_code():
    schemes = {
        KeyManagement.RSA_OAEP: "RSAES-OAEP",
        KeyManagement.RSA_PKCS1: "RSAES-PKCS1-v1_5",
        KeyManagement.AGREEMENT: "ECDH-ES",
        KeyManagement.AES_KEY_WRAP: "AES Key Wrap",
        KeyManagement.AES_GCM_KEY_WRAP: "AES GCM Key Wrap",
        KeyManagement.DIRECT: "none: a shared content key",
    }
    expected = []
    for management, scheme in schemes.items():
        rows = [row for row in KEY_ALGORITHMS.values() if row.management is management]
        (types,) = {row.types for row in rows}
        keys = " or ".join(f"{key_type.kty} {key_type.curve or ''}".strip() for key_type in types)
        names = [", ".join(row.name for row in rows if row.deprecated is old) or "-" for old in (False, True)]
        expected.append((scheme, keys, *names))
    assert table(GUIDES["tokens"], "Key management", "Key", "alg", "alg by allow_deprecated") == expected
    flowing = " ".join(TEXTS[GUIDES["tokens"]].split())
    assert f"`enc` is one of {', '.join(f'`{name}`' for name in CONTENT_ENCRYPTIONS)}." in flowing


def test_key_sizes_are_those_of_the_code():
    assert "RSA keys have {} to {} bits".format(*numbers.RSA_BITS) in TEXTS["README.md"]


def test_reason_table_is_the_enum():
    reasons = [reason for reason in keybound.Reason if reason is not keybound.Reason.OK]
    expected = [
        (str(reason), str(int(reason)), str(error.status), type(error).__name__, reason.description)
        for reason in reasons
        for error in [rejection(reason)]
    ]
    assert table(GUIDES["tokens"], "Code", "Number", "Status", "Exception", "Meaning") == expected


def test_checks_are_those_of_explain():
    issuer = FakeIssuer()
    validator = keybound.AccessTokenValidator(
        issuer=issuer.issuer,
        audience="rs",
        keys=keybound.JWKSet.from_json(issuer.jwks()),
        algorithms=["ES256"],
    )
    checks = validator.explain(issuer.access_token(audience="rs")).checks
    shown = table(GUIDES["tokens"], "Check", "Passes if")
    assert [row[0] for row in shown] == [check.name for check in checks]


def test_options_have_the_defaults_they_show():
    from_profile = {"algorithms", "types", "binding"}
    texts = {profiles.OAUTH: "profiles.OAUTH", DEFAULT_LIMITS: "Limits()", system_clock: "the system's"}
    texts |= {DEFAULT_CACHE: "CacheSettings()"}
    texts |= {
        inspect.Parameter.empty: "mandatory",
        (): "none",
        None: "none",
        False: "False",
        10: "10",
    }
    expected = [
        (name, "the profile's" if name in from_profile else texts[option.default])
        for name, option in OPTIONS.items()
        if name != "self"
    ]
    assert [row[:2] for row in table(GUIDES["tokens"], "Option", "Default", "Effect")] == expected


def test_profile_table_is_that_of_the_code():
    columns = ("Profile", "alg", "Binding", "Audience policy", "Endpoints over mutual TLS", "Source")
    shown = table(GUIDES["profiles"], *columns)
    expected = [
        (
            name.upper().replace("-", "_"),
            ", ".join(profile.algorithms or ()) or "the operator's",
            profile.binding,
            profile.audience_policy or "the operator's",
            profile.mtls_endpoints,
            profile.source,
        )
        for name, profile in profiles.PROFILES.items()
    ]
    assert shown == expected
    assert all(getattr(profiles, name) is profiles.PROFILES[profile_name(name)] for name, *_ in shown)


def profile_name(constant: str) -> str:
    return constant.lower().replace("_", "-")


def test_preset_table_is_that_of_the_code():
    shown = table(GUIDES["profiles"], "Preset", "Validator", "Parameters", "Note")
    validators = {
        TokenKind.ACCESS_TOKEN: "AccessTokenValidator",
        TokenKind.ID_TOKEN: "IDTokenValidator",
        "load_balancer_token": "LoadBalancerTokenValidator",
    }
    expected = [
        (name, validators[preset.kind], ", ".join(preset.parameters) or "none", preset.note)
        for name, preset in profiles.PRESETS.items()
    ]
    assert shown == expected


def test_audience_tables_are_those_of_the_code():
    policies, values = list(POLICIES.values()), table_of_policies.columns()
    assert table(GUIDES["audience"], "Audience policy", "Source") == [
        (policy.name, policy.source) for policy in policies
    ]
    titles = ("Received at", *map(table_of_policies.short, values), "array")
    usual = AudiencePolicy(name="any-other", source="RFC 9101, 4")
    exceptional = [policy for policy in policies if policy.request_object != usual.request_object]
    for first, kind, listed in (
        ("Policy", "client_assertion", policies),
        ("Request objects of", "request_object", [usual, *exceptional]),
    ):
        assert table(GUIDES["audience"], first, *titles) == [
            (policy.name.replace("any-other", "any other"), row.place, *row.cells.values(), row.array)
            for policy in listed
            for row in table_of_policies.rows(policy, kind, values)
        ]


def test_limits_table_is_that_of_the_code():
    constants = {name: value for name, value in vars(limits).items() if name.startswith("MAX_")}
    expected = {f"Limits.{name}": getattr(DEFAULT_LIMITS, name) for name in Limits.__dataclass_fields__}
    expected |= {f"limits.{name}": value for name, value in constants.items()}
    expected |= {
        f"CacheSettings.{name}": getattr(DEFAULT_CACHE, name)
        for name in ("entries", "memory_bytes", "lifetime")
    }
    expected["RefreshSettings.document_bytes"] = DEFAULT_REFRESH.document_bytes
    remembered = [name for name in vars(contract) if name.startswith("REMEMBERED_")]
    expected |= {f"contract.{name}": getattr(contract, name) for name in remembered}
    expected["numbers.RSA_BITS"] = numbers.RSA_BITS[1]
    expected["numbers.RSA_EXPONENT_BITS"] = numbers.RSA_EXPONENT_BITS
    expected["certificate"] = certificate._MAX_CERTIFICATE_BYTES
    shown = {
        name: int(value.replace(" ", ""))
        for name, value, _ in table("SECURITY.md", "Ceiling", "Value", "Bounds")
    }
    assert shown == expected


def test_refresh_settings_have_the_defaults_they_show():
    expected = {name: getattr(DEFAULT_REFRESH, name) for name in DEFAULT_REFRESH.__dataclass_fields__}
    shown = {name: float(value) for name, value, _ in table(GUIDES["keys"], "Setting", "Default", "Means")}
    assert list(shown.items()) == list(expected.items())


def test_samples_are_those_of_the_code():
    expected = [
        (name, family.type, ", ".join(family.labels) or "none", family.description)
        for name, family in FAMILIES.items()
    ]
    assert table(GUIDES["metrics"], "Sample", "Type", "Labels", "Tells") == expected


def test_rules_of_the_linter_are_those_of_the_code():
    shown = table(GUIDES["configuration"], "Rule", "Severity", "Finds", "Source")
    expected = [
        (rule.name, rule.severity, rule.finds.replace("`", ""), rule.source.replace("`", ""))
        for rule in RULES
    ]
    assert shown == expected


def test_unsafe_options_exist():
    """What SECURITY.md warns of is spelled as the code spells it."""
    shown = table("SECURITY.md", "Option", "Where", "What it gives up")
    assert shown
    for option, where, _ in shown:
        name, _, value = option.partition("=")
        callee = resolve(where)
        assert name in inspect.signature(callee).parameters, f"{where} has no {name}"
        assert value, f"{option} needs the value that is unsafe"


def test_environment_switches_are_those_of_the_code():
    sources = [ROOT / "setup.py", *(ROOT / "src").rglob("*.py"), *(ROOT / "ext").rglob("*.py")]
    sources += [*(ROOT / "tests").rglob("*.py"), *(ROOT / "ext").glob("*.pyx")]
    named = re.compile(r"\bKEYBOUND_[A-Z]+(?:_[A-Z]+)*\b")
    read = {switch for path in sources for switch in named.findall(path.read_text(encoding="utf-8"))}
    assert {switch for text in TEXTS.values() for switch in named.findall(text)} == read


def test_commands_are_those_of_the_command_line():
    pytest.importorskip("click", reason="the command line is an extra")
    application = importlib.import_module("keybound.cli.application").application
    shown = {name for name, _ in table("README.md", "Command", "Does")}
    assert shown == {f"keybound {name}" for name in application.commands}


def test_steps_are_those_of_the_script():
    script = ROOT / ".ci/run"
    if not script.exists():
        pytest.skip("a source distribution has no .ci")
    steps = re.search(r"^STEPS=\((.+)\)$", script.read_text(encoding="utf-8"), re.MULTILINE)[1].split()
    assert [name for name, _ in table("CONTRIBUTING.md", "Step", "Checks")] == steps


def test_linked_sources_are_pinned_as_documented():
    recipe = (ROOT / "ext/crypto/awslc_source.py").read_text(encoding="utf-8")
    pinned = {
        name: re.search(rf'^{name} = "(.+)"$', recipe, re.MULTILINE)[1] for name in ("VERSION", "CARRIER")
    }
    assert f"AWS-LC {pinned['VERSION']}" in TEXTS["SECURITY.md"]
    assert pinned["CARRIER"] in TEXTS["SECURITY.md"]


def test_changelog_starts_with_this_version():
    newest = re.search(r"^## \[(\d[^\]]*)\]", TEXTS["CHANGELOG.md"], re.MULTILINE)
    assert newest[1] == keybound.__version__


@every_document
def test_links_to_files_lead_somewhere(document):
    for target in re.findall(r"\]\((?!https?://)([^)]+)\)", TEXTS[document]):
        path, _, fragment = target.partition("#")
        linked = (ROOT / document).parent / path if path else ROOT / document
        assert linked.is_file(), f"{document} links to {target}"
        if fragment:
            assert fragment in anchors(linked.read_text(encoding="utf-8")), f"{document} links to {target}"


def anchors(text: str) -> set[str]:
    """The names that headings can be linked by."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@every_document
def test_paths_in_code_marks_exist(document):
    for path in re.findall(r"`((?:src|ext|tests|bench|\.ci|\.github)/[\w./-]*)`", TEXTS[document]):
        assert (ROOT / path).exists(), f"{document} names {path}"


@every_document
def test_python_names_in_code_marks_exist(document):
    for dotted in re.findall(r"`(keybound(?:\.\w+)+)(?:\(.*?\))?`", TEXTS[document]):
        resolve(dotted)


@every_document
def test_nothing_is_left_open_or_tied_to_one_machine(document):
    text = TEXTS[document]
    assert not re.findall(r"\b(?:TODO|FIXME|TBD|XXX)\b", text)
    assert not re.findall(r"(?:^|[\s`(])/\w+/", text), "an absolute path"
    assert not re.findall(r"(?<!PKCS) #\d+", text), "a number that means something on one site only"
