"""Secrets leave no trace in a bundle, and what a proof needs stays."""

from __future__ import annotations

import pytest

from monitor.diagnose.masking import masked, masked_text, printable

SECRETS = [
    "WANDB_API_KEY=0123456789abcdef0123456789abcdef01234567",
    "hf_AbCdEfGhIjKlMnOpQrStUvWx",
    "Authorization: Bearer abcdef0123456789abcdef",
    "https://me:hunter2secret@example.org/repo.git",
    "--token s3cr3tvalue",
    "--password=s3cr3tvalue",
    "RAY_AUTH_TOKEN: 9f8e7d6c5b4a",
    "'api_key': 'sk-live-0123456789abcdef01'",
    "ghp_0123456789abcdef0123456789abcdef0123",
    "AKIAIOSFODNN7EXAMPLE",
    "https://bucket.example.org/x?X-Amz-Signature=deadbeefdeadbeef&a=1",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
]
GIVEN_AWAY = [
    "0123456789abcdef01234567",
    "AbCdEfGhIjKl",
    "abcdef0123456789",
    "hunter2",
    "s3cr3t",
    "9f8e7d6c",
    "sk-live",
    "ghp_0123",
    "AKIAIOSF",
    "deadbeef",
    "MIIEow",
    "c2lnbmF0dXJl",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_in_a_line_is_masked(secret: str) -> None:
    line = masked_text(f"step 3 {secret}\nnext line")
    assert not [part for part in GIVEN_AWAY if part in line]
    assert line.startswith("step 3 ") and line.endswith("next line")


@pytest.mark.parametrize(
    "text",
    [
        "response_tokens: 512, max_tokens=1024",
        "RolloutServer.generate (063e51fef68d31f8…) is RUNNING",
        "the token is missing, see RAY_AUTH_TOKEN_PATH",
        "ObjectRef 8be94c3c16e9434b59df32157ffb280a612e1b720200000001000000",
        "timing_s/update_weights: 0.25 key:value",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert masked_text(text) == text


def test_a_value_under_a_telling_name_is_masked_whatever_it_is() -> None:
    document = {"wandb": {"api_key": "abc", "project": "p"}, "tokens": 5, "hfToken": "x y", "list": [{"password": "q"}]}
    assert masked(document) == {
        "wandb": {"api_key": "[masked]", "project": "p"},
        "tokens": 5,
        "hfToken": "[masked]",
        "list": [{"password": "[masked]"}],
    }


def test_masking_twice_changes_nothing_more() -> None:
    once = masked_text("\n".join(SECRETS))
    assert masked_text(once) == once


def test_control_characters_are_not_printable() -> None:
    assert printable("a\x1b[31mb\tc\nd\x07\u202e") == "a�[31mb\tc\nd��"
