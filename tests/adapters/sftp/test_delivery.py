"""Alerts onto a real SFTP server: whole files or none, whatever happens meanwhile."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest
from pydantic import ValidationError
from support.sftpserver import FileServer, file_server

from adapters.sftp.delivery import SftpAdapter
from router.ports import ChannelFault, Closed, Delivered, Delivery, Outcome, Reason, Refused, Retry

Make = Callable[[int], Delivery]
USUAL = {"host": "files.example", "user": "u", "key_file": "k", "known_hosts_file": "h"}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[FileServer]:
    async with file_server(tmp_path) as made:
        yield made


def adapter(server: FileServer, **options: object) -> SftpAdapter:
    return SftpAdapter(SftpAdapter.Config.model_validate({**server.options, **options}))


async def put(server: FileServer, *deliveries: Delivery, **options: object) -> Outcome:
    async with asyncio.timeout(30), adapter(server, **options) as sftp:
        outcomes = await sftp.deliver(deliveries)
    assert len(outcomes) == len(deliveries)
    assert len(set(outcomes)) == 1
    return outcomes[0]


# --- what is there --------------------------------------------------------------------------------


async def test_an_alert_is_a_file_named_after_its_id(server: FileServer, delivery: Make) -> None:
    ours = delivery(1)
    name = f"{ours.alert.id}.json"
    assert await put(server, ours) == Delivered(name)
    assert server.visible == [name]
    assert (server.home / name).read_bytes() == ours.body


async def test_a_batch_is_one_file_and_the_same_each_time(
    server: FileServer, delivery: Make
) -> None:
    ours = [replace(delivery(number), batch="b") for number in range(1000)]
    for _ in range(2):
        assert isinstance(await put(server, *ours, batch=1000), Delivered)
    await put(server, ours[0], batch=1000)
    assert len(server.visible) == 2  # another batch, though of one
    events = [json.loads((server.home / name).read_bytes()) for name in server.visible]
    whole = max(events, key=len)
    assert [each["id"] for each in whole] == [str(each.alert.id) for each in ours]
    assert list(map(len, sorted(events, key=len))) == [1, 1000]


async def test_one_connection_serves_all_that_go_at_once(
    server: FileServer, delivery: Make
) -> None:
    async with asyncio.timeout(30), adapter(server) as sftp:
        sends = (sftp.deliver([delivery(number)]) for number in range(16))
        outcomes = await asyncio.gather(*sends)
        assert {type(each[0]) for each in outcomes} == {Delivered}
        assert (len(server.visible), server.connections) == (16, 1)


async def test_where_it_cannot_replace_it_renames(server: FileServer, delivery: Make) -> None:
    server.renames = False
    for _ in range(2):
        assert isinstance(await put(server, delivery(1)), Delivered)
    assert len(list(server.home.iterdir())) == 1


# --- what goes wrong ------------------------------------------------------------------------------


async def test_cut_in_the_middle_no_half_file_is_ever_visible(
    server: FileServer, delivery: Make
) -> None:
    large = replace(delivery(1), body=b"x" * 1_000_000)
    async with asyncio.timeout(30), adapter(server) as sftp:
        server.cut_at = 300_000
        (outcome,) = await sftp.deliver([large])
        assert isinstance(outcome, Retry)
        assert outcome.reason is Reason.NETWORK
        assert server.visible == []
        (half,) = server.home.iterdir()
        assert half.stat().st_size <= 300_000
        server.cut_at = None
        assert isinstance((await sftp.deliver([large]))[0], Delivered)
    assert [file.name for file in server.home.iterdir()] == server.visible  # the half is gone
    assert (server.home / server.visible[0]).read_bytes() == large.body


async def test_cancelled_in_the_middle_no_half_file_is_visible_either(
    server: FileServer, delivery: Make
) -> None:
    large = replace(delivery(1), body=b"x" * 3_000_000)
    async with asyncio.timeout(30), adapter(server) as sftp:
        await sftp.deliver([delivery(2)])
        sending = asyncio.create_task(sftp.deliver([large]))
        while not any(server.home.glob(".*")):  # noqa: ASYNC110 - it is somebody else's
            await asyncio.sleep(0)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert len(server.visible) == 1
        assert isinstance((await sftp.deliver([large]))[0], Delivered)
        assert len(server.visible) == 2


async def test_a_full_disk_is_a_retry_and_leaves_nothing(
    server: FileServer, delivery: Make
) -> None:
    server.full = True
    outcome = await put(server, delivery(1))
    assert isinstance(outcome, Retry)
    assert outcome.reason is Reason.STORAGE
    assert "No space left on device" in outcome.detail
    assert "see to space" in outcome.detail
    assert list(server.home.iterdir()) == []
    server.full = False
    assert isinstance(await put(server, delivery(1)), Delivered)


async def test_a_kept_connection_that_ended_costs_nothing(
    server: FileServer, delivery: Make
) -> None:
    async with asyncio.timeout(30), adapter(server) as sftp:
        await sftp.deliver([delivery(1)])
        server.cut()
        assert isinstance((await sftp.deliver([delivery(2)]))[0], Delivered)
        assert server.connections == 2


async def test_a_wrong_host_key_gets_nothing_and_closes_the_lane(
    server: FileServer, delivery: Make
) -> None:
    server.trust(asyncssh.generate_private_key("ssh-ed25519"))
    outcome = await put(server, delivery(1))
    assert isinstance(outcome, Closed)
    assert outcome.reason is ChannelFault.CREDENTIALS
    assert f"the key that 127.0.0.1:{server.port} shows is not in" in outcome.detail
    assert "nothing was sent" in outcome.detail
    assert server.visible == []


async def test_who_does_not_know_our_key_closes_the_lane(
    server: FileServer, delivery: Make
) -> None:
    another = asyncssh.generate_private_key("ssh-ed25519")
    (server.keys / "ours").write_bytes(another.export_private_key())
    outcome = await put(server, delivery(1))
    assert isinstance(outcome, Closed)
    assert outcome.reason is ChannelFault.CREDENTIALS
    assert "does not let 'hubherald' in; ask its owner" in outcome.detail


async def test_a_folder_that_is_not_there_closes_the_lane(
    server: FileServer, delivery: Make
) -> None:
    outcome = await put(server, delivery(1), path="/in/alerts/")
    assert isinstance(outcome, Closed)
    assert outcome.reason is ChannelFault.ENDPOINT
    assert "/in/alerts is not there; have the folder made, or correct `path`" in outcome.detail


async def test_another_file_under_its_name_is_not_replaced(
    server: FileServer, delivery: Make
) -> None:
    ours = delivery(1)
    for other in (b"something else", ours.body[::-1]):
        (server.home / f"{ours.alert.id}.json").write_bytes(other)
        outcome = await put(server, ours)
        assert isinstance(outcome, Refused)
        assert "is there with other content; have it moved away" in outcome.detail


async def test_ssh_without_sftp_closes_the_lane(tmp_path: Path, delivery: Make) -> None:
    async with file_server(tmp_path, sftp=False) as server:
        outcome = await put(server, delivery(1))
    assert isinstance(outcome, Closed)
    assert outcome.reason is ChannelFault.ENDPOINT
    assert "ask its owner for SFTP" in outcome.detail


async def test_where_nobody_is_it_is_a_retry(server: FileServer, delivery: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    known = server.keys / "known_hosts"
    known.write_text(known.read_text().replace(str(server.port), str(port)))
    outcome = await put(server, delivery(1), port=port)
    assert isinstance(outcome, Retry)
    assert outcome.reason is Reason.NETWORK


# --- files and options ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "content", "mode", "option", "why"),
    [
        ("ours", "no key", 0o600, "key_file", "holds no private key"),
        ("ours", None, 0o644, "key_file", "chmod"),
        ("known_hosts", "", 0o644, "known_hosts_file", "ssh-keyscan -p"),
        ("known_hosts", "a b c\n", 0o644, "known_hosts_file", "has no key of [127.0.0.1]:"),
    ],
)
async def test_a_file_of_no_use_is_named(
    server: FileServer,
    delivery: Make,
    file: str,
    content: str | None,
    *,
    mode: int,
    option: str,
    why: str,
) -> None:
    if content is not None:
        (server.keys / file).write_text(content)
    (server.keys / file).chmod(mode)
    (unfit,) = adapter(server)._options.unfit()
    assert unfit.key == option
    assert why in unfit.message
    outcome = await put(server, delivery(1))
    assert isinstance(outcome, Closed)
    assert outcome.reason is ChannelFault.CREDENTIALS
    assert option in outcome.detail
    assert server.connections == 0


async def test_a_key_with_a_password_is_named(server: FileServer) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    (server.keys / "ours").write_bytes(key.export_private_key("pkcs8-pem", passphrase="hunter22x"))
    (unfit,) = adapter(server)._options.unfit()
    assert "wants a password" in unfit.message


async def test_files_that_are_right_are_no_mistake(server: FileServer) -> None:
    assert adapter(server)._options.unfit() == []


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"host": "sftp://files.example"}, "must be the name of a host alone"),
        ({"host": "files.example:22"}, "must be the name of a host alone"),
        ({"path": "in\nbox"}, "must be a path without control characters"),
        ({"user": ""}, "at least 1 character"),
        ({"known_hosts_file": None}, "known_hosts_file"),
    ],
)
def test_options_that_cannot_be_right(options: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError) as caught:
        SftpAdapter.Config.model_validate({**USUAL, **options})
    assert why in str(caught.value)


async def test_without_its_package_it_says_what_to_install(
    server: FileServer, delivery: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.extras.find_spec", lambda _: None)  # as it is without the extra
    outcome = await put(server, delivery(1))
    said = "sftp needs the package asyncssh, which is not installed; run: pip install 'hubherald[sf"
    assert isinstance(outcome, Closed)
    assert said in outcome.detail
    (unfit,) = adapter(server)._options.unfit()
    assert unfit.key == "adapter"
    assert said in unfit.message
