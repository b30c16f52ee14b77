"""The extension refuses what it could not record in, when it is created."""
import psycopg
import pytest

from sealing import create_database, drop_database
from shared_server import conninfo


# Numbers of encodings that a database may have: PG_ENCODING_BE_LAST of mb/pg_wchar.h
DATABASE_ENCODINGS = "SELECT pg_encoding_to_char(n) FROM generate_series(0, 34) n WHERE pg_encoding_to_char(n) <> 'UTF8'"


def test_a_database_of_another_encoding_is_refused_at_creation():
    """Whichever there is."""
    with psycopg.connect(conninfo(), autocommit=True) as server:
        encodings = [name for name, in server.execute(DATABASE_ENCODINGS)]
    assert len(encodings) == 34 and {"SQL_ASCII", "LATIN1", "EUC_JP", "WIN1252"} <= set(encodings)
    for encoding in encodings:
        database = create_database(f"trust_{encoding.lower()}", extension=False, options=f"ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
        try:
            # what a client can say to a database of any encoding
            with psycopg.connect(database.dsn, client_encoding="SQL_ASCII", autocommit=True) as client:
                with pytest.raises(psycopg.errors.FeatureNotSupported, match=f"needs a database with encoding UTF8, and this one has {encoding}") as refused:
                    client.execute("CREATE EXTENSION reasoning_graph")
                assert "UTF8" in refused.value.diag.message_hint
                assert client.execute("SELECT count(*) FROM pg_namespace WHERE nspname = 'reason'").fetchone() == (0,)
        finally:
            drop_database(database)


def test_a_client_may_have_another_encoding():
    """The server converts; what is recorded is UTF-8."""
    database = create_database("trust_client_encoding")
    try:
        with psycopg.connect(conninfo(database.name), client_encoding="LATIN1", autocommit=True) as client:
            client.execute("SELECT reason.add_node('action', '{\"ü\": \"é\"}', 'Zoë')")
        assert database.one("SELECT convert_to(payload::text, 'UTF8') FROM reason.node") == '{"ü": "é"}'.encode()
        assert database.one("SELECT reason.event_payload(e) #>> '{node,author}' FROM reason.audit_event e WHERE event_type = 'node.created'") == "Zoë"
    finally:
        drop_database(database)
