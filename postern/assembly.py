"""Puts adapters, stores and services together. The only place that knows all."""

import logging
from dataclasses import dataclass

import aiohttp

from postern.adapters.clock import SystemClock
from postern.adapters.entra import EntraProvider
from postern.adapters.graph import GraphDirectory
from postern.adapters.key_vault import IntakeKeyVault, KeysKeyVault
from postern.adapters.managed_identity import EntraManagedIdentity
from postern.adapters.tables import TableRecords
from postern.model.cloud import cloud_of
from postern.model.config import Config
from postern.model.grant import Rhythm
from postern.model.trust import Deployment
from postern.pages import Pages
from postern.pages.setup import SetupPages
from postern.ports import (
    Clock,
    Directory,
    IdentityProvider,
    IntakeVault,
    KeysVault,
    ManagedIdentity,
    Records,
)
from postern.services.activation import Activation
from postern.services.assertions import Assertions
from postern.services.authorization import Authorization
from postern.services.breakers import Breakers
from postern.services.callers import Callers
from postern.services.census import Census
from postern.services.changes import Changes
from postern.services.configurations import Configurations
from postern.services.connecting import Connecting
from postern.services.custody import CustodyKeeper
from postern.services.delivery import Delivery
from postern.services.drafting import Drafting
from postern.services.handover import HandOver
from postern.services.health import Health
from postern.services.keyrings import KeyRings
from postern.services.links import Links
from postern.services.mailboxes import Mailboxes
from postern.services.preflight import Preflight
from postern.services.refresh import Refresher
from postern.services.remembered import Remembered
from postern.services.renewal import Renewal
from postern.services.schedule import Schedule
from postern.services.setting_up import SettingUp
from postern.services.succession import Succession
from postern.services.sweeping import Sweeper
from postern.settings import Settings, on_loopback
from postern.stores.audit import AuditStore
from postern.stores.callers import CallerStore
from postern.stores.configs import ConfigStore
from postern.stores.grants import GrantStore
from postern.stores.links import LinkStore, PendingStore
from postern.stores.mailboxes import MailboxStore

# Twice the token requests that one execution has in flight; more would only queue at Entra.
_CONNECTIONS = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything outside: the adapters, or the fakes of a test."""

    records: Records
    intake: IntakeVault
    keys: KeysVault
    identity: ManagedIdentity
    provider: IdentityProvider
    directory: Directory
    clock: Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Postern:
    """The services that the routes call."""

    base_url: str
    deployment: Deployment
    callers: Callers
    configurations: Configurations
    activation: Activation
    succession: Succession
    changes: Changes
    renewal: Renewal
    preflight: Preflight
    custody: CustodyKeeper
    links: Links
    authorization: Authorization
    mailboxes: Mailboxes
    delivery: Delivery
    schedule: Schedule
    sweeper: Sweeper
    health: Health
    pages: Pages
    setting_up: SettingUp
    setup_pages: SetupPages


def assemble(settings: Settings) -> Postern:
    """Build the app on the real adapters."""
    # The SDKs log every request with its row keys: too many lines for ten million mailboxes.
    logging.getLogger("azure").setLevel(logging.WARNING)
    clock = SystemClock()
    cloud = cloud_of(settings.authority_host)
    identity = EntraManagedIdentity(settings.identity_client_id, cloud)
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=_CONNECTIONS))
    # A vault on this machine is the stand-in, whose name can belong to no vault domain.
    intake = IntakeKeyVault(
        settings.intake_vault_url,
        identity.credential,
        clock,
        verify_challenge=not on_loopback(settings.intake_vault_url),
    )
    keys = KeysKeyVault(
        settings.keys_vault_url,
        identity.credential,
        verify_challenge=not on_loopback(settings.keys_vault_url),
    )
    world = World(
        records=TableRecords(settings.tables_url, identity.credential),
        intake=intake,
        keys=keys,
        identity=identity,
        provider=EntraProvider(session, settings.authority_host),
        directory=GraphDirectory(session, settings.graph_url, cloud),
        clock=clock,
    )
    return compose(settings, world)


def compose(settings: Settings, world: World) -> Postern:
    """Put the services together over *world*."""
    clock, provider = world.clock, world.provider
    configs, grants = ConfigStore(world.records), GrantStore(world.records)
    successors = ConfigStore(world.records, successors=True)
    mailboxes, audit = MailboxStore(world.records), AuditStore(world.records)
    link_store, pending = LinkStore(world.records), PendingStore(world.records)
    rings = KeyRings(world.keys)
    assertions = Assertions(world.keys, world.identity, provider, clock)
    rhythm = Rhythm(keep_alive=settings.keep_alive, margin=settings.margin)
    deployment = Deployment(
        tenant_id=settings.tenant_id,
        client_id=settings.identity_client_id,
        principal_id=settings.identity_principal_id,
        issuer=provider.issuer(settings.tenant_id),
        exchange_audience=cloud_of(settings.authority_host).exchange_audience,
    )
    custody = CustodyKeeper(
        intake=world.intake,
        keys=world.keys,
        configs=configs,
        clock=clock,
        issuer=settings.base_url,
        life=settings.intake_life,
    )
    hand_over = HandOver(
        provider=provider,
        assertions=assertions,
        directory=world.directory,
        deployment=deployment,
        clock=clock,
    )
    breakers = Breakers(configs, audit, clock)
    drafting = Drafting(
        custody=custody, assertions=assertions, rings=rings, deployment=deployment, clock=clock
    )

    def activation_of(rows: ConfigStore) -> Activation:
        return Activation(
            configs=rows,
            audit=audit,
            custody=custody,
            hand_over=hand_over,
            provider=provider,
            drafting=drafting,
            breakers=breakers,
            clock=clock,
        )

    activation, census = activation_of(configs), Census(mailboxes)
    succession = Succession(
        configs=configs,
        successors=successors,
        standing=activation,
        activation=activation_of(successors),
        census=census,
        clock=clock,
    )
    callers = CallerStore(world.records)
    changes = Changes(
        configs=configs,
        successors=successors,
        mailboxes=mailboxes,
        grants=grants,
        links=link_store,
        callers=callers,
        audit=audit,
        census=census,
        clock=clock,
    )
    renewal = Renewal(
        configs=configs,
        audit=audit,
        assertions=assertions,
        hand_over=hand_over,
        breakers=breakers,
        census=census,
        clock=clock,
    )
    refresher = Refresher(
        grants=grants,
        mailboxes=mailboxes,
        provider=provider,
        assertions=assertions,
        rings=rings,
        breakers=breakers,
        clock=clock,
        rhythm=rhythm,
    )
    links = Links(link_store, configs, audit, clock)
    known_configs = Remembered[Config](clock, configs.get)
    return Postern(
        base_url=settings.base_url,
        deployment=deployment,
        callers=Callers(callers, configs, audit, clock),
        configurations=Configurations(configs, breakers),
        activation=activation,
        succession=succession,
        changes=changes,
        renewal=renewal,
        preflight=Preflight(
            configs=configs,
            provider=provider,
            assertions=assertions,
            directory=world.directory,
            deployment=deployment,
            clock=clock,
            redirect_uri=settings.redirect_uri,
        ),
        custody=custody,
        links=links,
        authorization=Authorization(
            links=links,
            configs=configs,
            pending=pending,
            provider=provider,
            assertions=assertions,
            rings=rings,
            connecting=Connecting(
                grants=grants,
                mailboxes=mailboxes,
                audit=audit,
                rings=rings,
                clock=clock,
                rhythm=rhythm,
            ),
            clock=clock,
            redirect_uri=settings.redirect_uri,
        ),
        mailboxes=Mailboxes(mailboxes=mailboxes, grants=grants, audit=audit, clock=clock),
        delivery=Delivery(
            grants=grants, configs=known_configs, rings=rings, refresher=refresher, clock=clock
        ),
        schedule=Schedule(
            grants=grants,
            configs=known_configs,
            refresher=refresher,
            clock=clock,
            margin=settings.margin,
        ),
        sweeper=Sweeper(
            intake=world.intake,
            configs=configs,
            successors=successors,
            links=link_store,
            pending=pending,
            custody=custody,
            activation=activation,
            succession=succession,
            changes=changes,
            renewal=renewal,
            census=census,
            clock=clock,
        ),
        health=Health(
            {
                "records": configs.reachable,
                "intake-vault": world.intake.reachable,
                "keys-vault": world.keys.reachable,
                "entra": provider.reachable,
                "graph": world.directory.reachable,
                "managed-identity": world.identity.exchange_assertion,
            },
            clock,
        ),
        pages=Pages(),
        setting_up=SettingUp(deployment, base_url=settings.base_url, graph_url=settings.graph_url),
        setup_pages=SetupPages(),
    )
