#!/usr/bin/env python3
"""Creates a container in Azurite: azure_container.py http://127.0.0.1:PORT NAME

Azure wants the request signed with the account's key (Shared Key); the account and the key are Azurite's own,
the same on every machine. Succeeds if the container is there already.
"""

import base64
import hashlib
import hmac
import sys
import urllib.error
import urllib.request
from email.utils import formatdate

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def signature(headers: dict[str, str], container: str) -> str:
    """https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key"""
    verb_and_empty_standard_headers = "PUT" + "\n" * 12
    own_headers = "".join(f"{name}:{value}\n" for name, value in sorted(headers.items()))
    # The account twice: once as the account, once as the first part of Azurite's path.
    resource = f"/{ACCOUNT}/{ACCOUNT}/{container}\nrestype:container"
    text = verb_and_empty_standard_headers + own_headers + resource
    return base64.b64encode(hmac.digest(base64.b64decode(KEY), text.encode(), hashlib.sha256)).decode()


def main() -> None:
    endpoint, container = sys.argv[1:]
    headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-12-02"}
    headers["Authorization"] = f"SharedKey {ACCOUNT}:{signature(headers, container)}"
    url = f"{endpoint}/{ACCOUNT}/{container}?restype=container"
    try:
        urllib.request.urlopen(urllib.request.Request(url, method="PUT", headers=headers), timeout=10)
    except urllib.error.HTTPError as error:
        if error.code != 409:
            sys.exit(f"{error}: {error.read().decode(errors='replace')}")


if __name__ == "__main__":
    main()
