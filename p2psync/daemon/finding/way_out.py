"""The proxy that a person named once: it holds, as meeting hosts do, until another one is named, or none."""

from __future__ import annotations

from dataclasses import replace

from p2psync.daemon.config import Config
from p2psync.errors import ConfigError, LinkError
from p2psync.proxies import OFF, SYSTEM, Proxy
from p2psync.store.database import Database
from p2psync.store.records import Records

SETTING = "proxy"


def settled(config: Config, database: Database) -> Config:
    """With the proxy of this run. Raises ConfigError if what was named is none."""
    records = Records(database)
    if not config.proxy:
        kept = records.setting(SETTING)
        return replace(config, proxy=kept if isinstance(kept, str) and kept else SYSTEM)
    if config.proxy not in (OFF, SYSTEM):
        try:
            Proxy.parse(config.proxy)
        except LinkError as error:
            raise ConfigError(error.sentence) from None
    with database.transaction():
        records.put_setting(SETTING, config.proxy)
    return config
