"""What a caller brings along changes no answer: a path of his own, no certificate."""
import re

import psycopg
import pytest

from paths import ROOT


@pytest.fixture
def liar(db):
    """A schema before pg_catalog in which two texts are never equal."""
    db("CREATE SCHEMA liar; CREATE FUNCTION liar.never(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT false';"
       "CREATE OPERATOR liar.= (LEFTARG = text, RIGHTARG = text, FUNCTION = liar.never)")
    yield
    db("RESET search_path; DROP SCHEMA liar CASCADE")


def test_a_path_of_the_callers_hides_no_revoked_signer(db, liar):
    """By time, and by status alone: to an operator that lies nobody would be revoked."""
    db("SELECT count(reason.add_node('observation', '{}', 'ada')) FROM generate_series(1, 3)")
    db.settle()
    with db.tampering():
        db("ALTER TABLE reason.signer DROP CONSTRAINT signer_revoked_check")
        db("UPDATE reason.signer SET status = 'revoked', revoked_at = NULL")
        honest = db.row("SELECT ok, first_bad_seq, detail FROM reason.verify_audit()")
        assert not honest[0] and "was revoked by then" in honest[2]
        db("SET LOCAL search_path = liar, pg_catalog")
        assert db.row("SELECT ok, first_bad_seq, detail FROM reason.verify_audit()") == honest


def test_functions_that_query_have_a_path_of_their_own(db):
    """Those in C too that a caller reaches with rights of his own."""
    sources = {name for path in (ROOT / "extension").glob("*/*.c") if "SPI_" in path.read_text() for name in re.findall(r"PG_FUNCTION_INFO_V1\((\w+)\)", path.read_text())}
    bare = {name for name, in db("""
        SELECT p.proname FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
        WHERE p.pronamespace = 'reason'::regnamespace AND p.prokind = 'f' AND l.lanname = 'c' AND p.prosrc = ANY (%s) AND p.proconfig IS NULL
          AND EXISTS (SELECT FROM aclexplode(p.proacl) a WHERE a.grantee <> p.proowner AND a.privilege_type = 'EXECUTE')""", list(sources))}
    assert bare == set()


@pytest.mark.parametrize("issuer", [None, "CN=ca"])
def test_who_has_no_certificate_is_told_so(db, issuer):
    """A RAISE with a hint that is NULL would raise something else."""
    with pytest.raises(psycopg.errors.InvalidAuthorizationSpecification) as refused:
        db("SELECT reason.client_of(NULL, %s, NULL)", issuer)
    assert refused.value.diag.message_hint


def test_no_error_is_raised_with_a_case_that_may_be_null(db):
    """RAISE … USING takes no NULL (22004): each CASE in one says what else."""
    for name, source in db("SELECT p.proname, p.prosrc FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang"
                           " WHERE p.pronamespace = 'reason'::regnamespace AND l.lanname = 'plpgsql'"):
        for raised in re.findall(r"RAISE\s+\w+\s+USING\b(.*?);\s*\n", source, re.S):
            bare = re.sub(r"'(?:[^']|'')*'", "''", raised)
            assert len(re.findall(r"\bCASE\b", bare)) == len(re.findall(r"\bELSE\b", bare)), (name, raised)


@pytest.mark.parametrize("uris", ["a  b", " a", "a ", " "])
def test_an_empty_uri_names_no_client(db, uris):
    db("SELECT reason.set_client('empty', 'admin', '{*}', san_uri => '')")
    for name in (None, "empty"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="no client of this service"):
            db("SELECT reason.client_of(%s, 'CN=ca', %s)", name, uris)


def test_a_snapshot_of_before_the_safe_mode_is_not_remembered(make_database):
    db = make_database("callers_safe_mode")
    write = "SELECT reason.add_node('score', '1', 'ada')"
    with psycopg.connect(db.dsn) as other:
        other.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        other.execute("SELECT count(*) FROM reason.node")
        db("SELECT reason.change_safe_mode('a test')")
        # By the database that it sees.
        other.execute(write)
        other.commit()
        with pytest.raises(psycopg.errors.CannotConnectNow, match="safe mode"):
            other.execute(write)
