"""Each cloud's names, and that a scope comes home as it left."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.model.cloud import PUBLIC, cloud_of
from postern.model.scopes import Protocol, scopes
from postern.settings import AUTHORITY_HOSTS

HOSTS = sorted(AUTHORITY_HOSTS)
EVERY = scopes(Protocol)


@pytest.mark.parametrize("host", HOSTS)
def test_a_scope_comes_home_as_it_left(host):
    cloud = cloud_of(f"https://{host}")
    abroad = [cloud.abroad(scope) for scope in EVERY]
    assert [cloud.home(scope) for scope in abroad] == list(EVERY)
    assert all(scope.startswith((cloud.outlook, cloud.graph)) for scope in abroad)


def test_no_two_clouds_share_a_name():
    clouds = [cloud_of(f"https://{host}") for host in HOSTS]
    for name in ("exchange_audience", "outlook", "graph"):
        assert len({getattr(cloud, name) for cloud in clouds}) == len(HOSTS)


@given(st.sampled_from(["openid", "offline_access", "Mail.Send", "User.Read"]))
def test_what_names_no_resource_stays(scope):
    for host in HOSTS:
        cloud = cloud_of(f"https://{host}")
        assert cloud.abroad(scope) == cloud.home(scope) == scope


@pytest.mark.parametrize("host", ["https://localhost:8401", "https://login.microsoftonline.com"])
def test_this_machine_plays_the_public_cloud(host):
    assert cloud_of(host) == PUBLIC
