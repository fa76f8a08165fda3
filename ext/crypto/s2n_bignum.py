"""The files of s2n-bignum that the key tables stand on, out of the AWS-LC source that is linked.

AWS-LC's own library holds some of these functions and leaves out the rest; all that the tables
call is assembled here, whichever it is. A function found in both comes from the same source.
"""

from __future__ import annotations

import os
import platform
from pathlib import Path

__all__ = ["FOLDERS", "sources"]

FOLDERS = {"x86_64": "x86_att", "aarch64": "arm", "arm64": "arm"}
"""Folder of the assembler files per machine; a machine that is not listed has no tables."""

# Each of these comes in two flavours: for processors with BMI2 and ADX (or a fast wide multiplier),
# and an `_alt` one for the others.
FLAVOURED = {
    "curve25519": (
        "bignum_mul_p25519 edwards25519_decode edwards25519_epadd edwards25519_epdouble edwards25519_pepadd"
    ),
    "p256": (
        "bignum_montmul_p256 bignum_montsqr_p256 bignum_tomont_p256 "
        "p256_montjadd p256_montjdouble p256_montjmixadd"
    ),
    "p384": (
        "bignum_montmul_p384 bignum_montsqr_p384 bignum_tomont_p384 "
        "p384_montjadd p384_montjdouble p384_montjmixadd"
    ),
    "p521": "bignum_mul_p521 bignum_sqr_p521 p521_jadd p521_jdouble p521_jmixadd",
    "secp256k1": "bignum_mul_p256k1 bignum_sqr_p256k1 secp256k1_jadd secp256k1_jdouble secp256k1_jmixadd",
}
PLAIN = {
    "curve25519": (
        "bignum_add_p25519 bignum_double_p25519 bignum_inv_p25519 bignum_mod_n25519 bignum_neg_p25519 "
        "bignum_sub_p25519 edwards25519_encode"
    ),
    "fastmul": "bignum_emontredc_8n bignum_kmul_32_64 bignum_ksqr_32_64",
    "generic": (
        "bignum_add bignum_ge bignum_modinv bignum_montifier bignum_montmul bignum_optsub bignum_sub "
        "word_negmodinv"
    ),
    "p256": "bignum_montinv_p256 bignum_neg_p256",
    "p384": "bignum_montinv_p384 bignum_neg_p384",
    "p521": "bignum_inv_p521 bignum_mod_p521_9 bignum_neg_p521",
    "secp256k1": "bignum_mod_p256k1_4 bignum_neg_p256k1",
}


def sources(awslc: Path) -> list[str]:
    """Assembler files for this machine; none where there are no tables.

    :param awslc: folder of the built library, as the recipe leaves it
    """
    folder = FOLDERS.get(platform.machine())
    # A build for two machines at once would need each file twice.
    several = os.environ.get("ARCHFLAGS", "").count("-arch") > 1
    if folder is None or os.name == "nt" or several:
        return []
    root = imported(awslc) / folder
    names = [(group, name) for group, listed in PLAIN.items() for name in listed.split()]
    for group, listed in FLAVOURED.items():
        names += [(group, name + flavour) for name in listed.split() for flavour in ("", "_alt")]
    files = [root / group / f"{name}.S" for group, name in names]
    # On arm two of the `_alt` files do not exist: there the plain one serves both.
    return [str(file) for file in files if file.is_file()]


def imported(awslc: Path) -> Path:
    """The folder that s2n-bignum's own files lie under."""
    return awslc / "third_party" / "s2n-bignum" / "s2n-bignum-imported"
