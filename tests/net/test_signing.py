"""What is sealed comes back unchanged, or not at all."""

import multiprocessing
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cscale.errors import BadConfiguration
from cscale.net.signing import Signer, shared_secret

SECRET = bytes(range(32))
URL_SAFE = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
signer = Signer(SECRET, "cursor")


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_a_payload_comes_back_and_its_text_fits_into_a_url(payload: bytes) -> None:
    sealed = signer.seal(payload)
    assert signer.open(sealed) == payload
    assert set(sealed) <= URL_SAFE
    assert len(sealed) <= 16 + len(payload) * 4 / 3 + 1, "small: 16 characters more than the payload"


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_a_seal_opens_under_no_other_purpose_or_secret(payload: bytes) -> None:
    sealed = signer.seal(payload)
    assert Signer(SECRET, "url").open(sealed) is None
    assert Signer(SECRET, "").open(sealed) is None
    assert Signer(SECRET[::-1], "cursor").open(sealed) is None
    assert Signer(b"", "cursor").open(sealed) is None


@pytest.mark.parametrize("length", [0, 1, 2, 3, 4, 17])  # each remainder of base64's groups of three
def test_every_change_of_one_character_is_refused(length: int) -> None:
    sealed = signer.seal(b"\xff" * length)
    others = sorted(URL_SAFE | set("+/= \n\t.%\x00é"))
    for at in range(len(sealed)):
        for other in others:
            changed = sealed[:at] + other + sealed[at + 1 :]
            assert (signer.open(changed) is not None) == (changed == sealed), f"{other!r} at {at}"
        for other in others:
            assert signer.open(sealed[:at] + other + sealed[at:]) is None, f"{other!r} put in at {at}"
        assert signer.open(sealed[:at] + sealed[at + 1 :]) is None, f"{at} left out"
    for tail in (*others, "==", "\r\n", "A" * 4):
        assert signer.open(sealed + tail) is None, f"{tail!r} at the end"


@settings(deadline=None)
@given(st.text() | st.text(alphabet="ABCDwxyz0189-_=", max_size=60))
def test_what_was_never_sealed_is_refused(text: str) -> None:
    assert signer.open(text) is None


def test_a_seal_is_not_the_payloads_alone() -> None:
    one, other = signer.seal(b"page 1"), signer.seal(b"page 2")
    assert one[:16] != other[:16]
    assert signer.open(one[:16] + other[16:]) is None


def test_the_secret_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    state = tmp_path / "not" / "yet"
    secret = shared_secret(state)
    assert len(secret) == 32
    assert shared_secret(state) == secret
    assert stat.S_IMODE((state / "secret").stat().st_mode) == 0o600
    assert [path.name for path in state.iterdir()] == ["secret"], "nothing is left beside it"
    assert shared_secret(tmp_path / "another") != secret


def test_processes_that_start_at_once_agree_on_one_secret(tmp_path: Path) -> None:
    states = [tmp_path / str(number) for number in range(25)]
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        secrets = pool.map(shared_secret, [state for state in states for _ in range(4)], chunksize=1)
    for number, state in enumerate(states):
        assert set(secrets[4 * number : 4 * number + 4]) == {shared_secret(state)}
        assert [path.name for path in state.iterdir()] == ["secret"]
    assert len(set(secrets)) == len(states)


@pytest.mark.parametrize("damaged", [b"", b"short", b"\n"])
def test_a_secret_that_anyone_could_guess_is_refused(tmp_path: Path, damaged: bytes) -> None:
    (tmp_path / "secret").write_bytes(damaged)
    with pytest.raises(BadConfiguration, match="secret"):
        shared_secret(tmp_path)
