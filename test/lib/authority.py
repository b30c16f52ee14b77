"""A certificate authority of the tests' own: issues for any time, revokes, and has others below it."""

import pathlib
import subprocess

CONFIGURATION = """
[ca]
default_ca = here
[here]
database = index
rand_serial = yes
new_certs_dir = issued
crlnumber = crlnumber
default_md = sha256
default_days = 30
default_crl_days = 30
unique_subject = no
policy = any
[any]
organizationName = optional
commonName = supplied
"""
CLIENT = "keyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\n"
SERVER = "keyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\nsubjectAltName=DNS:localhost,IP:127.0.0.1\n"
AUTHORITY = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n"


class Authority:
    def __init__(self, directory, name, above=None):
        self.directory = pathlib.Path(directory)
        (self.directory / "issued").mkdir(parents=True)
        (self.directory / "index").touch()
        (self.directory / "crlnumber").write_text("01\n")
        (self.directory / "openssl.cnf").write_text(CONFIGURATION)
        if above is None:
            self.key("ca")
            self.openssl("req", "-new", "-x509", "-key", "ca.key", "-days", "30", "-subj", f"/O=tests/CN={name}", "-out", "ca.crt",
                         *(part for line in AUTHORITY.splitlines() for part in ("-addext", line)))
        else:
            certificate, key = above.issue(name.replace(" ", "-"), name, AUTHORITY)
            (self.directory / "ca.crt").write_bytes(certificate.read_bytes())
            (self.directory / "ca.key").write_bytes(key.read_bytes())

    def openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.directory, check=True, timeout=30, capture_output=True)

    def key(self, name):
        self.openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", f"{name}.key")

    def ca(self, *arguments):
        self.openssl("ca", "-config", "openssl.cnf", "-batch", "-notext", "-cert", "ca.crt", "-keyfile", "ca.key", *arguments)

    def issue(self, file, common_name, extensions=CLIENT, start=None, end=None):
        """Paths of certificate and key; times are YYYYMMDDhhmmssZ."""
        self.key(file)
        (self.directory / f"{file}.ext").write_text(extensions)
        self.openssl("req", "-new", "-key", f"{file}.key", "-subj", f"/O=tests/CN={common_name}", "-out", f"{file}.csr")
        self.ca("-in", f"{file}.csr", "-extfile", f"{file}.ext", "-out", f"{file}.crt",
                *(["-startdate", start] if start else []), *(["-enddate", end] if end else []))
        return self.directory / f"{file}.crt", self.directory / f"{file}.key"

    def revoke(self, file):
        self.ca("-revoke", f"{file}.crt")

    def crl(self, *arguments):
        self.ca("-gencrl", "-out", "crl.pem", *arguments)
        return (self.directory / "crl.pem").read_text()
