import pytest

from comity.openid import pkce

# RFC 7636 appendix B
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_the_example_of_the_rfc() -> None:
    assert pkce.challenge_of(VERIFIER) == CHALLENGE
    assert pkce.is_verified(VERIFIER, CHALLENGE)


def test_a_new_one_is_good_and_new() -> None:
    made = {pkce.new_verifier() for _ in range(50)}
    assert len(made) == 50
    assert all(pkce.is_verifier(each) and pkce.is_challenge(pkce.challenge_of(each)) for each in made)


@pytest.mark.parametrize("verifier", ["", "a" * 42, "a" * 129, "a" * 42 + "+", "a" * 43 + "\n", "é" * 43, CHALLENGE])
def test_another_verifier_does_not_do(verifier: str) -> None:
    assert not pkce.is_verified(verifier, CHALLENGE)


@pytest.mark.parametrize("challenge", ["", "a" * 42, "a" * 44, "a" * 42 + "=", "a" * 43 + "\n"])
def test_what_is_no_challenge(challenge: str) -> None:
    assert not pkce.is_challenge(challenge)


def test_plain_proves_nothing() -> None:
    assert not pkce.is_verified(VERIFIER, VERIFIER)


@pytest.mark.parametrize("verifier", ["", "a" * 42, "a" * 129, "a" * 42 + "+"])
def test_what_is_no_verifier_proves_nothing_even_where_the_hash_fits(verifier: str) -> None:
    assert not pkce.is_verified(verifier, pkce.challenge_of(verifier))
