"""Folders of synchronisation services, as they are called and marked on users' disks."""

from __future__ import annotations

import pytest

from p2psync.fs.cloud import service_by_marker, service_by_name


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("C:/Users/anna/Dropbox/Cargo.crsync", "Dropbox"),
        ("C:/Users/anna/Dropbox (Personal)/Cargo.crsync", "Dropbox"),
        ("C:/Users/anna/OneDrive/Cargo.crsync", "OneDrive"),
        ("C:/Users/anna/OneDrive - Muster AG/Dokumente/Cargo.crsync", "OneDrive"),
        ("/Users/anna/Library/CloudStorage/OneDrive-MusterAG/Cargo", "a cloud service"),
        ("/Users/anna/Library/Mobile Documents/com~apple~CloudDocs/Cargo", "iCloud"),
        ("C:/Users/anna/iCloudDrive/Cargo", "iCloud"),
        ("G:/My Drive/Cargo", "Google Drive"),
        ("/home/anna/Google Drive/Cargo", "Google Drive"),
        ("/home/anna/nextcloud/Cargo", "Nextcloud"),
        ("/home/anna/Nextcloud2/Cargo", "Nextcloud"),
        ("/home/anna/ownCloud/Cargo", "ownCloud"),
        ("/home/anna/kDrive/Cargo", "kDrive"),
        ("/home/anna/SynologyDrive/Cargo", "Synology Drive"),
        ("/home/anna/Documents/Cargo.crsync", None),
        ("/home/anna/Dropboxes/Cargo.crsync", None),
        ("/home/anna/My Drives/OneDriver/Library", None),
        ("/srv/Box/MEGA/Cargo", None),
    ],
)
def test_a_service_is_recognised_by_the_names_of_directories(path: str, service: str | None) -> None:
    assert service_by_name(path.split("/")) == service


def test_a_service_is_recognised_by_what_it_leaves_in_its_folder() -> None:
    there = {"/data/sync/.stfolder", "/home/anna/elsewhere/.dropbox"}
    assert service_by_marker(["/data/sync/Cargo", "/data/sync", "/data", ""], there.__contains__) == "Syncthing"
    assert service_by_marker(["/home/anna/Cargo", "/home/anna", "/home", ""], there.__contains__) is None
