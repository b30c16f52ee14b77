"""A real JanusGraph, and questions to it over HTTP."""

from graph_server import GraphServer


class JanusGraph(GraphServer):
    type = "janusgraph"

    def answers(self):
        return self.ask("[1]") == [1]

    def ask(self, script, **bindings):
        """What a script gives, as a list."""
        return self.post("", {"gremlin": script, "bindings": bindings}, {"Accept": "application/json"})["result"]["data"]

    def wipe(self):
        while self.ask("def found = g.V().limit(2000).toList(); found.each {it.remove()}; [found.size()]")[0]:
            pass
