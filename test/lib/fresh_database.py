"""Fresh databases with the extension, copied from one in which it was installed once: installing takes longer than most tests."""

import psycopg

SCRIPT = """SELECT md5(pg_read_file(c.setting || '/extension/reasoning_graph--' || e.default_version || '.sql'))
FROM pg_config() c, pg_available_extensions e WHERE c.name = 'SHAREDIR' AND e.name = 'reasoning_graph'"""
ONE_AT_A_TIME = "SELECT pg_advisory_lock(hashtext('fresh databases'))"


def template(admin, conninfo):
    """The name of the database to copy, made if this script of the extension has none yet."""
    name = f"reasoning_graph_{admin.execute(SCRIPT).fetchone()[0]}"
    admin.execute(ONE_AT_A_TIME)
    if not admin.execute("SELECT 1 FROM pg_database WHERE datname = %s AND NOT datallowconn", [name]).fetchone():
        admin.execute(f"DROP DATABASE IF EXISTS {name}")
        admin.execute(f"CREATE DATABASE {name}")
        with psycopg.connect(conninfo(name), autocommit=True) as installing:
            installing.execute("CREATE EXTENSION reasoning_graph")
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    admin.execute("SELECT pg_advisory_unlock_all()")
    return name


def create_database(conninfo, name):
    """conninfo gives the connection string of a superuser to the database that it is given. Copied by files: page by page, through the log, takes four times as long."""
    with psycopg.connect(conninfo("postgres"), autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}" TEMPLATE {template(admin, conninfo)} STRATEGY FILE_COPY')


def drop_database(conninfo, name):
    with psycopg.connect(conninfo("postgres"), autocommit=True) as admin:
        admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
