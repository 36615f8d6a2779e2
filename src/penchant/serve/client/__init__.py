"""The verbs of the engine, asked of a service elsewhere."""

from __future__ import annotations

from penchant.serve.client.remote import Client

__all__ = ["Client", "connect"]

connect = Client
