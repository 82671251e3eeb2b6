"""Certificates made with the `openssl` command: authorities, servers, clients, and what is wrong with them."""

import base64
import dataclasses
import datetime
import hashlib
import pathlib
import shutil
import subprocess

CA_CONFIG = """
[ca]
default_ca = own
[own]
database = {directory}/index.txt
new_certs_dir = {directory}
certificate = {directory}/ca.pem
private_key = {directory}/ca.key
default_md = sha256
policy = anything
unique_subject = no
rand_serial = yes
[anything]
commonName = optional
organizationName = optional
[req]
distinguished_name = nothing
[nothing]
[authority]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign, cRLSign
"""


def openssl(*arguments, data=None):
    """The command's output; fails with what it says."""
    done = subprocess.run(["openssl", *map(str, arguments)], input=data, capture_output=True)
    assert done.returncode == 0, f"openssl {arguments}: {done.stderr.decode(errors='replace')}"
    return done.stdout


def make_key(path, kind="ec", password=None):
    """`ec` (P-256), `rsa` (2048 bits), `rsa1024`, or the name of a curve."""
    if kind.startswith("rsa"):
        openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{kind[3:] or 2048}", "-out", path)
    else:
        curve = "P-256" if kind == "ec" else kind
        named = ["-pkeyopt", "ec_param_enc:named_curve"]
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{curve}", *named, "-out", path)
    if password:
        text = openssl("pkcs8", "-topk8", "-in", path, "-v2", "aes-256-cbc", "-passout", f"pass:{password}")
        path.write_bytes(text)


@dataclasses.dataclass
class Identity:
    """A certificate chain and its key, as files."""

    chain: pathlib.Path
    key: pathlib.Path

    @property
    def der(self):
        lines = self.chain.read_text().split("-----BEGIN CERTIFICATE-----")[1].split("-----END")[0]
        return base64.b64decode(lines)

    @property
    def digest(self):
        """SHA-256 of the certificate in hexadecimal digits."""
        return hashlib.sha256(self.der).hexdigest()

    @property
    def spki(self):
        """SHA-256 of the public key in base64."""
        pem = openssl("x509", "-in", self.chain, "-noout", "-pubkey")
        der = openssl("pkey", "-pubin", "-outform", "DER", data=pem)
        return base64.b64encode(hashlib.sha256(der).digest()).decode()

    def copy_to(self, directory, chain=True, key=True):
        """The same under fixed names, put there by rename as deployment tools do."""
        directory.mkdir(exist_ok=True)
        target = Identity(directory / "tls.crt", directory / "tls.key")
        for source, to, wanted in ((self.chain, target.chain, chain), (self.key, target.key, key)):
            if wanted:
                new = to.with_suffix(to.suffix + ".new")
                shutil.copy(source, new)
                new.rename(to)
        return target


class Authority:
    def __init__(self, directory, name="Test CA", kind="ec"):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True)
        self.pem, self.key = self.directory / "ca.pem", self.directory / "ca.key"
        self.config = self.directory / "openssl.cnf"
        self.config.write_text(CA_CONFIG.format(directory=self.directory))
        (self.directory / "index.txt").write_text("")
        make_key(self.key, kind)
        options = ["-config", self.config, "-extensions", "authority", "-days", "365"]
        openssl("req", "-x509", "-new", "-key", self.key, "-subj", f"/CN={name}", "-out", self.pem, *options)
        self.made = 0

    def issue(
        self, name="server.example", sans=None, kind="ec", days=90, starts_in_days=-1, usage="serverAuth,clientAuth",
        password=None, extra="", authority=False,
    ):  # fmt: skip
        """A certificate of this authority. `days` may be negative: then it has expired."""
        self.made += 1
        base = self.directory / f"{self.made}"
        identity = Identity(base.with_suffix(".crt"), base.with_suffix(".key"))
        make_key(identity.key, kind, password)
        request, extensions = base.with_suffix(".csr"), base.with_suffix(".ext")
        opened = ["-passin", f"pass:{password}"] if password else []
        openssl(
            "req", "-new", "-config", self.config, "-key", identity.key, *opened, "-subj", f"/CN={name}", "-out", request
        )
        sans = [f"DNS:{name}"] if sans is None else sans
        lines = ["[leaf]"]
        lines += [f"subjectAltName = {','.join(sans)}"] if sans else []
        if authority:
            lines += ["basicConstraints = critical, CA:true", "keyUsage = critical, keyCertSign"]
        else:
            lines += ["basicConstraints = CA:false", f"extendedKeyUsage = {usage}"]
        extensions.write_text("\n".join(lines + [extra]) + "\n")
        now = datetime.datetime.now(datetime.timezone.utc)
        starts = now + datetime.timedelta(days=min(starts_in_days, days - 10))
        ends = now + datetime.timedelta(days=days)
        identity.ends = ends
        stamp = "%Y%m%d%H%M%SZ"
        openssl(
            "ca", "-batch", "-notext", "-config", self.config, "-in", request, "-out", identity.chain, "-extfile",
            extensions, "-extensions", "leaf", "-startdate", starts.strftime(stamp), "-enddate", ends.strftime(stamp),
        )  # fmt: skip
        return identity
