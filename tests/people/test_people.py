"""Signing in, roles, and ending them, on both databases."""

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from cbt.db import db
from cbt.errors import SignInFailed
from cbt.people import passwords, services
from cbt.people.models import RoleGrant
from cbt.people.queries import find_reader, list_ever_holders, list_holders
from cbt.people.roles import Grant, Reader, Role, is_allowed, is_of_household
from tests import factories
from tests.site import NOW


def test_the_right_password_signs_in_whatever_the_case_of_the_name(app):
    person = services.add_person("Host.Village", "Host", "long enough", "th", NOW)
    assert services.sign_in(" host.village ", "long enough") == (person, 0)


@pytest.mark.parametrize(
    ("name", "password"), [("host", "wrong"), ("host", ""), ("nobody", "long enough"), ("", "")]
)
def test_a_wrong_name_or_password_is_refused_without_saying_which(app, name, password):
    services.add_person("host", "Host", "long enough", "th", NOW)
    with pytest.raises(SignInFailed) as refused:
        services.sign_in(name, password)
    assert refused.value.facts == {}


def test_passwords_are_kept_as_argon2id_and_never_alike():
    one, other = passwords.hash_password("the same"), passwords.hash_password("the same")
    assert one.startswith("$argon2id$")
    assert one != other
    assert passwords.is_password("the same", one)
    assert not passwords.is_password("the same", "rubbish")


def test_a_server_hashes_with_the_memory_and_rounds_that_owasp_names(cheap_passwords):
    serving = cheap_passwords.hash("the same")
    assert serving.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert passwords.is_password("the same", serving)


def test_two_people_cannot_have_the_same_name(app):
    services.add_person("host", "Host", "long enough", "th", NOW)
    with pytest.raises(IntegrityError):
        services.add_person("HOST", "Other", "long enough", "th", NOW)


def test_signing_out_ends_every_sign_in(app):
    person = services.add_person("host", "Host", "long enough", "th", NOW)
    _person, epoch = services.sign_in("host", "long enough")
    assert find_reader(db.session(), person, epoch) is not None
    services.sign_out_everywhere(person)
    assert find_reader(db.session(), person, epoch) is None


def test_a_role_is_granted_once_and_ended(app):
    community = factories.make_community()
    person = factories.make_person()
    grant = Grant(Role.MENTOR, community)
    services.grant_role(person, grant, NOW)
    services.grant_role(person, grant, NOW)
    assert db.session.scalar(select(func.count()).select_from(RoleGrant)) == 1
    assert find_reader(db.session(), person, 0).grants == (grant,)
    assert list_holders(db.session(), Role.MENTOR)[0][2] == community
    services.end_role(person, grant, NOW)
    assert find_reader(db.session(), person, 0).grants == ()
    assert list_holders(db.session(), Role.MENTOR) == []
    assert [each[0] for each in list_ever_holders(db.session(), Role.MENTOR)] == [person]


@pytest.mark.parametrize(
    "grant",
    [
        Grant(Role.ADMIN, 1),
        Grant(Role.TREASURER, None),
        Grant(Role.HOUSEHOLD, 1),
        Grant(Role.MENTOR, 1, 1),
    ],
    ids=["admin-of-one", "treasurer-of-none", "household-without-house", "mentor-of-a-house"],
)
def test_a_grant_that_makes_no_sense_is_refused_by_the_database(app, grant):
    factories.make_village()
    person = factories.make_person()
    with pytest.raises(IntegrityError):
        services.grant_role(person, grant, NOW)


def test_a_role_counts_in_its_own_community_only():
    reader = Reader(1, "x", (Grant(Role.TREASURER, 7), Grant(Role.HOUSEHOLD, 7, 3)))
    assert is_allowed(reader, {Role.TREASURER}, 7)
    assert not is_allowed(reader, {Role.TREASURER}, 8)
    assert not is_allowed(reader, {Role.COORDINATOR}, 7)
    assert is_of_household(reader, 3)
    assert not is_of_household(reader, 4)
    assert is_allowed(Reader(2, "y", (Grant(Role.ADMIN, None),)), {Role.ADMIN}, 8)
