"""Telling who supervises the service that it answers now: systemd, where a unit says Type=notify.

The protocol of sd_notify(3): a datagram to the socket that the environment names.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Mapping

VARIABLE = "NOTIFY_SOCKET"
READY = "READY=1"

_log = logging.getLogger("penchant.service")


def notify(state: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether a supervisor was told; False where none listens."""
    place = environment.get(VARIABLE, "")
    if not place:
        return False
    # A name that begins with @ is no file: its first byte is zero.
    address = f"\0{place[1:]}" if place.startswith("@") else place
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
            told.sendto(state.encode(), address)
    except OSError as error:
        _log.warning("nobody heard that the service is ready: %s", error)
        return False
    return True
