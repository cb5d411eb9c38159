"""`python -m cli.certify SERVER AUTHORITY NAME…`: certificates for the servers of a private network.

Makes an authority and one certificate for servers of these names, in two folders: SERVER for them, AUTHORITY
for clients. The authority's key is thrown away: nobody can make another certificate that these clients trust.
Run again, it changes nothing, but where the certificate is about to end, is damaged or lacks a name, or with
`--renew`; then servers and clients are to be started again.
"""

import argparse
import ipaddress
import ssl
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from cli.local.authority import Authority
from core.errors import ServiceError

RENEW_BEFORE = timedelta(days=60)
SERVER_MODE = 0o440  # for a server that runs as another user of this group
PUBLIC_MODE = 0o444


def main() -> int:
    """Write `server.pem` and `authority.crt` for the servers, `authority.crt` for their clients."""
    parser = argparse.ArgumentParser(prog="certify", description="Certificates for a private network.")
    parser.add_argument("server", type=Path, help="the folder that only servers see")
    parser.add_argument("authority", type=Path, help="the folder that clients see")
    parser.add_argument("names", nargs="+", metavar="NAME", help="names and addresses of the servers")
    parser.add_argument("--renew", action="store_true", help="also where those that are there are good")
    args = parser.parse_args()
    try:
        why = "asked to" if args.renew else fault(args.server, args.authority, args.names)
        if why:
            certify(args.server, args.authority, args.names)
            sys.stderr.write(f"certify: certificates made for {', '.join(args.names)} ({why})\n")
    except (ServiceError, OSError) as error:
        sys.stderr.write(f"certify: {error}\n")
        return 1
    return 0


def certify(server: Path, authority: Path, names: Sequence[str]) -> None:
    """Make all of it anew; killed anywhere, `fault` tells that it is to be done again."""
    with tempfile.TemporaryDirectory() as folder:
        made = Authority.open(Path(folder))
        pem = made.server_file(names, member=True).read_text("ascii")
        for path, text, mode in (
            (server / "server.pem", pem, SERVER_MODE),
            (server / "authority.crt", made.certificate, PUBLIC_MODE),
            (authority / "authority.crt", made.certificate, PUBLIC_MODE),
        ):
            fresh = path.with_name(f".{path.name}")
            fresh.unlink(missing_ok=True)
            fresh.touch(mode)
            fresh.chmod(0o600)
            fresh.write_text(text, "ascii")
            fresh.chmod(mode)
            fresh.replace(path)


def fault(server: Path, authority: Path, names: Sequence[str]) -> str:
    """Why the certificates that are there are of no use; empty where they are good."""
    try:
        issuer = x509.load_pem_x509_certificate((authority / "authority.crt").read_bytes())
        beside = x509.load_pem_x509_certificate((server / "authority.crt").read_bytes())
        found = x509.load_pem_x509_certificate((server / "server.pem").read_bytes())
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(server / "server.pem")
        found.verify_directly_issued_by(issuer)
        known = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except FileNotFoundError:
        return "there were none"
    except (ValueError, TypeError, InvalidSignature, ssl.SSLError, x509.ExtensionNotFound):
        return "they did not belong together"
    if beside != issuer:
        return "they did not belong together"
    if min(found.not_valid_after_utc, issuer.not_valid_after_utc) < datetime.now(UTC) + RENEW_BEFORE:
        return f"they end on {found.not_valid_after_utc:%Y-%m-%d}"
    there = {*known.get_values_for_type(x509.DNSName), *map(str, known.get_values_for_type(x509.IPAddress))}
    if missing := [name for name in names if _plain(name) not in there]:
        return f"they lacked {', '.join(missing)}"
    return ""


def _plain(name: str) -> str:
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name


if __name__ == "__main__":
    sys.exit(main())
