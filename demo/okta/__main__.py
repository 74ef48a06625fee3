"""``python -m demo.okta FOLDER PORT``: makes keys, people and the app at first use, then serves.

What to paste into Gatehouse is then in FOLDER/client.json. DEMO_OKTA_ORIGIN overrides http://127.0.0.1:PORT,
DEMO_OKTA_BIND the address listened on, DEMO_OKTA_REDIRECT_URIS adds redirect URIs (separated by spaces).
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import django
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.core.management import call_command

from demo.servers import prepare, secret


def write_privately(path: Path, content: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(content)


def make_key(path: Path) -> None:
    if not path.exists():
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write_privately(path, pem.decode())


def register(folder: Path, issuer: str) -> None:
    """Make the app and the people if they are not there, and write down what to paste."""
    from demo.okta.models import Application, Person
    from demo.okta.people import CAST, opaque, subject_of

    client_secret = secret(folder / "client-secret")
    always = {
        "name": "Gatehouse",
        "hash_client_secret": False,
        "client_type": Application.CLIENT_CONFIDENTIAL,
        "authorization_grant_type": Application.GRANT_AUTHORIZATION_CODE,
        "algorithm": Application.RS256_ALGORITHM,
        "skip_authorization": True,
        "redirect_uris": os.environ.get("DEMO_OKTA_REDIRECT_URIS", ""),
    }
    # Another folder, another app: the client ID follows from its first secret, which another may have replaced since.
    application, _ = Application.objects.update_or_create(
        client_id=opaque("0oa", client_secret),
        defaults=always,
        create_defaults=always | {"client_secret": client_secret},
    )
    for email, given_name, family_name, zoneinfo, is_assigned in CAST:
        Person.objects.update_or_create(
            pk=subject_of(email),
            defaults={
                "email": email,
                "given_name": given_name,
                "family_name": family_name,
                "zoneinfo": zoneinfo,
                "is_assigned": is_assigned,
            },
        )
    to_paste = {"issuer": issuer, "client_id": application.client_id, "client_secret": application.client_secret}
    write_privately(folder / "client.json", json.dumps(to_paste, indent=1))


def main(folder: Path, port: int) -> None:
    prepare(folder)
    secret(folder / "secret")
    make_key(folder / "key.pem")
    origin = os.environ.setdefault("DEMO_OKTA_ORIGIN", f"http://127.0.0.1:{port}")
    os.environ["DEMO_OKTA_FOLDER"] = str(folder)
    os.environ["DJANGO_SETTINGS_MODULE"] = "demo.okta.settings"
    django.setup()
    call_command("migrate", verbosity=0)
    register(folder, f"{origin}/oauth2/default")
    address = f"{os.environ.get('DEMO_OKTA_BIND', '127.0.0.1')}:{port}"
    serve = ["-m", "gunicorn", "demo.okta.wsgi", f"--bind={address}", "--threads=8", "--no-control-socket"]
    os.execv(sys.executable, [sys.executable, *serve])


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), int(sys.argv[2]))
