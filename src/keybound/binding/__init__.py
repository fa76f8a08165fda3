"""Key binding: the confirmation methods of ``cnf`` and the certificates presented for them."""

from keybound.binding.certificate import PresentedCertificate, proof_of, thumbprint

__all__ = ["PresentedCertificate", "proof_of", "thumbprint"]
