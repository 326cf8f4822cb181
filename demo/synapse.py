"""A real homeserver for the demo and the tests: Synapse on SQLite, on loopback, configured by us."""

import base64
import contextlib
import hashlib
import hmac
import json
import os
import secrets
import sys
from pathlib import Path

import aiohttp

from demo import processes
from demo.errors import DemoError
from demo.ports import LOOPBACK, Claim, claim_noted

Json = dict[str, object]


class Synapse:
    """One homeserver, its data in `folder`.

    `start()` gives DemoError when it does not come up; a second start on the same folder finds accounts and history.
    """

    def __init__(self, folder: Path, server_name: str = "demo.localhost") -> None:
        self.folder = folder
        self.server_name = server_name
        self.program: processes.Program | None = None
        self._claim: Claim | None = None

    @property
    def port(self) -> int:
        """0 before it has been chosen."""
        return self._claim.port if self._claim else 0

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def pid(self) -> int:
        """Process id, 0 when it does not run."""
        return self.program.pid if self.program and self.program.running else 0

    def user_id(self, user: str) -> str:
        return f"@{user}:{self.server_name}"

    def choose_port(self) -> int:
        """The port it will have, claimed until `stop()`; others may need it before it runs."""
        if not self._claim:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._claim = claim_noted(self.folder / "port")
        return self._claim.port

    async def start(self, patience: float = 60.0) -> None:
        """Starts it and waits until it answers, `patience` seconds at most."""
        self.choose_port()
        self._write_configuration()
        self.program = await processes.start(
            "Synapse",
            [sys.executable, "-m", "synapse.app.homeserver", "--config-path", str(self._configuration)],
            self.folder / "output.log",
            # Bytecode is kept: the next start takes a third of the time.
            {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"},
        )
        async with aiohttp.ClientSession() as http:
            await self.program.until(lambda: _answers(http, f"{self.url}/_matrix/client/versions"), patience)

    async def stop(self) -> None:
        """Stops it; does nothing when it does not run."""
        if self._claim:
            self._claim.close()
        if self.program:
            await self.program.stop()

    async def register(self, user: str, password: str, displayname: str) -> bool:
        """Makes an account on it (Synapse admin API, shared secret). False: the account was there already."""
        address = f"{self.url}/_synapse/admin/v1/register"
        async with aiohttp.ClientSession() as http:
            async with http.get(address) as answer:
                nonce = str((await answer.json())["nonce"])
            mac = hmac.new(self._secret("registration").encode(), digestmod=hashlib.sha1)
            mac.update(b"\0".join(part.encode() for part in (nonce, user, password, "notadmin")))
            body = {
                "nonce": nonce,
                "username": user,
                "password": password,
                "displayname": displayname,
                "admin": False,
                "mac": mac.hexdigest(),
            }
            async with http.post(address, json=body) as answer:
                found = await answer.json()
                if answer.status == 400 and found.get("errcode") == "M_USER_IN_USE":
                    return False
                if answer.status != 200:
                    raise DemoError(f"Synapse did not make the account {user}: {found.get('error', answer.status)}")
        return True

    @property
    def _configuration(self) -> Path:
        return self.folder / "homeserver.yaml"

    def _secret(self, name: str) -> str:
        """A random word made once and kept in the folder, readable by its owner only."""
        place = self.folder / f"{name}.secret"
        with contextlib.suppress(FileExistsError):
            with open(place, "x", opener=lambda path, flags: os.open(path, flags, 0o600)) as fresh:
                fresh.write(secrets.token_hex(32))
        return place.read_text()

    def _write_configuration(self) -> None:
        key = base64.b64encode(bytes.fromhex(self._secret("signing"))).decode().rstrip("=")
        signing_key = self.folder / "signing.key"
        signing_key.touch(mode=0o600)
        signing_key.write_text(f"ed25519 demo {key}\n")
        # Both files are JSON, which is YAML too.
        log_config = self.folder / "log.yaml"
        log_config.write_text(json.dumps(_logging(self.folder / "homeserver.log"), indent=2))
        settings = {
            "server_name": self.server_name,
            "public_baseurl": f"{self.url}/",
            "log_config": str(log_config),
            "signing_key_path": str(signing_key),
            "registration_shared_secret": self._secret("registration"),
            "macaroon_secret_key": self._secret("macaroon"),
            "form_secret": self._secret("form"),
            "database": {"name": "sqlite3", "args": {"database": str(self.folder / "homeserver.db")}},
            "media_store_path": str(self.folder / "media"),
            "listeners": [
                {
                    "port": self.port,
                    "tls": False,
                    "type": "http",
                    "bind_addresses": [LOOPBACK],
                    "resources": [{"names": ["client"], "compress": False}],
                }
            ],
            **_alone_and_small(),
            **_rate_limits(),
        }
        self._configuration.touch(mode=0o600)
        self._configuration.write_text(json.dumps(settings, indent=2))


def _alone_and_small() -> Json:
    """No word to the outside, pushes to loopback gateways allowed, and little work for a handful of accounts."""
    return {
        "report_stats": False,
        "enable_metrics": False,
        "trusted_key_servers": [],
        "suppress_key_server_warning": True,
        "federation_domain_whitelist": [],
        # Synapse refuses a gateway on loopback without a word to the client.
        "ip_range_whitelist": ["127.0.0.1/32", "::1/128"],
        "enable_registration": False,
        "enable_media_repo": False,
        "url_preview_enabled": False,
        "presence": {"enabled": False},
        "user_directory": {"enabled": False},
        "bcrypt_rounds": 4,
        "caches": {"global_factor": 0.2},
    }


def _rate_limits() -> Json:
    """Limits that no demo and no test reaches."""
    open_wide = {"per_second": 10_000, "burst_count": 10_000}
    return {
        **{
            f"rc_{what}": open_wide
            for what in ("message", "registration", "admin_redaction", "3pid_validation", "presence", "room_creation")
        },
        "rc_login": {"address": open_wide, "account": open_wide, "failed_attempts": open_wide},
        "rc_joins": {"local": open_wide, "remote": open_wide},
        "rc_joins_per_room": open_wide,
        "rc_invites": {"per_room": open_wide, "per_user": open_wide, "per_issuer": open_wide},
    }


def _logging(file: Path) -> Json:
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
        "handlers": {
            "file": {
                "class": "logging.handlers.RotatingFileHandler",
                "formatter": "plain",
                "filename": str(file),
                "maxBytes": 2_000_000,
                "backupCount": 1,
            }
        },
        "root": {"level": "WARNING", "handlers": ["file"]},
    }


async def _answers(http: aiohttp.ClientSession, address: str) -> bool:
    try:
        async with http.get(address, timeout=aiohttp.ClientTimeout(total=2)) as answer:
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False
