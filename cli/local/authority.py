"""The certificate authority of one service: made once, kept in the state folder, known to nobody else."""

import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cli.local.private_files import private_folder, write_private
from core.errors import Misconfigured

LIFE = timedelta(days=3650)
SKEW = timedelta(days=1)  # hosts whose clocks are behind ours
Key = ec.EllipticCurvePrivateKey


class Authority:
    """Signs the certificates of the gateway and of the hosts that are invited.

    Parameters
    ----------
    folder : holds `authority.pem` (key and certificate, mode 0600).
    """

    def __init__(self, folder: Path, key: Key, certificate: x509.Certificate) -> None:
        self.folder, self._key, self._certificate = folder, key, certificate

    @classmethod
    def open(cls, state_dir: Path) -> Self:
        """The authority of this state folder, made if there is none; Misconfigured where it is damaged."""
        folder = private_folder(state_dir.absolute() / "tls")
        file = folder / "authority.pem"
        if not file.exists():
            key = ec.generate_private_key(ec.SECP256R1())
            write_private(file, _pem(_own_certificate(key), key))
        text = file.read_bytes()
        try:
            key_read = serialization.load_pem_private_key(text, None)
            certificate = x509.load_pem_x509_certificate(text)
        except ValueError as error:
            raise Misconfigured(
                f"{file} is damaged; expected a key and a certificate. Without it every host has to be "
                "invited again: remove it, start again and write new invitations"
            ) from error
        if not isinstance(key_read, ec.EllipticCurvePrivateKey):
            raise Misconfigured(f"{file} has another kind of key; expected an elliptic curve's")
        return cls(folder, key_read, certificate)

    @property
    def certificate(self) -> str:
        """The certificate that others trust, as PEM: no secret."""
        return self._certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")

    @property
    def certificate_file(self) -> Path:
        """The same in a file."""
        path = self.folder / "authority.crt"
        if not path.exists() or path.read_text("ascii") != self.certificate:
            write_private(path, self.certificate)
        return path

    def server_file(self, names: Sequence[str], *, member: bool = False) -> Path:
        """A fresh key and certificate for a server that is reached by these names or addresses, as a file.

        A `member` of a replica set is also a client: mongod calls itself, to agree on a new index.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        uses = [ExtendedKeyUsageOID.SERVER_AUTH] + [ExtendedKeyUsageOID.CLIENT_AUTH] * member
        certificate = self._issue(key, names[0], self._certificate.not_valid_after_utc, uses, names)
        path = self.folder / "server.pem"
        write_private(path, _pem(certificate, key))
        return path

    def guest(self, name: str, expires: datetime) -> str:
        """A key and a certificate, as PEM, by which an invited host is let in until it expires."""
        key = ec.generate_private_key(ec.SECP256R1())
        return _pem(self._issue(key, name, expires, [ExtendedKeyUsageOID.CLIENT_AUTH], ()), key)

    def _issue(
        self,
        key: Key,
        name: str,
        expires: datetime,
        uses: Sequence[x509.ObjectIdentifier],
        names: Sequence[str],
    ) -> x509.Certificate:
        public = key.public_key()
        builder = (
            _builder(name, expires)
            .issuer_name(self._certificate.subject)
            .public_key(public)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(_issued_by(self._key), critical=False)
        )
        if names:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False
            )
        return builder.sign(self._key, hashes.SHA256())


def _own_certificate(key: Key) -> x509.Certificate:
    public = key.public_key()
    builder = _builder("deep-asteroids", datetime.now(UTC) + LIFE)
    uses = dict.fromkeys(
        (
            "digital_signature",
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    return (
        builder.issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "deep-asteroids")]))
        .public_key(public)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(key_cert_sign=True, crl_sign=True, **uses), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )


def _builder(name: str, expires: datetime) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])]))
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(datetime.now(UTC), expires) - SKEW)
        .not_valid_after(expires)
    )


def _issued_by(key: Key) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate, key: Key) -> str:
    written = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return (certificate.public_bytes(serialization.Encoding.PEM) + written).decode("ascii")
