"""A real Neo4j, and questions to it over HTTP."""

import base64
import urllib.error

from graph_server import GraphServer

PASSWORD = "graph-password"


class Neo4j(GraphServer):
    type = "neo4j"
    ports = 2

    def __init__(self, directory):
        super().__init__(directory)
        self.credentials = directory / "credentials"
        self.credentials.write_text(f"user = neo4j\npassword = {PASSWORD}\n")
        self.credentials.chmod(0o600)
        if self.process:
            self.statement("system", "neo4j", f"ALTER CURRENT USER SET PASSWORD FROM 'neo4j' TO '{PASSWORD}'")

    def answers(self):
        try:
            return self.ask("RETURN 1")
        except urllib.error.HTTPError as refusal:
            # it has its first password still
            return refusal.code == 401
        except AssertionError:
            return False

    def statement(self, database, password, text, parameters=None):
        secret = base64.b64encode(f"neo4j:{password}".encode()).decode()
        said = self.post(f"/db/{database}/tx/commit", {"statements": [{"statement": text, "parameters": parameters or {}}]}, {"Authorization": f"Basic {secret}"})
        assert not said["errors"], said["errors"]
        return [entry["row"] for entry in said["results"][0]["data"]]

    def ask(self, text, **parameters):
        """Rows of a Cypher statement."""
        return self.statement("neo4j", PASSWORD, text, parameters)

    def wipe(self):
        while self.ask("MATCH (n) WITH n LIMIT 10000 DETACH DELETE n RETURN count(*)")[0][0]:
            pass

    def settings(self, **more):
        return super().settings(credentials_file=self.credentials, **more)
