"""What is documented of Dgraph's HTTP API, as a counterpart: DgraphFacts, a function for Hostile.

It is no Dgraph, which no registry had. It knows /alter, /query and /mutate?commitNow=true in the forms that the documentation shows
(https://docs.dgraph.io/clients/raw-http/, https://docs.dgraph.io/dql/dql-mutation/): blocks and variables, eq, type, uid, count(uid), @groupby,
first, conditions by len(). It is strict where Dgraph is: each predicate has a type in the schema, each variable is used, a list is a
set, and what cannot be read is an error with status 200.
"""
import json
import re
import threading

TOKEN = re.compile(r'\s+|("(?:[^"\\]|\\.)*")|([~\w.]+)|(@\w+)|([{}()\[\],:])')
SCHEMA = re.compile(r"([\w.]+)\s*:\s*(\[?\w+\]?)([^\n]*)\.\s*$", re.M)
TYPE = re.compile(r"type (\w+) \{([^}]*)\}")


class Fault(Exception):
    """What Dgraph says of a request that it does not take."""


def tokens(text):
    found, place = [], 0
    while place < len(text):
        match = TOKEN.match(text, place)
        if not match:
            raise Fault(f"line 1 column {place}: Unexpected character")
        if match.group().strip():
            found.append(match.group())
        place = match.end()
    return found


class Query:
    """The blocks of a query, evaluated one by one."""

    def __init__(self, store, text):
        self.store, self.rest, self.variables, self.used, self.answer = store, tokens(text), {}, set(), {}
        self.take("{")
        while self.peek() != "}":
            self.block()
        self.take("}")
        if self.rest:
            raise Fault("unexpected text behind the query")

    def peek(self):
        if not self.rest:
            raise Fault("unexpected end of the query")
        return self.rest[0]

    def take(self, expected=None):
        found = self.peek()
        if expected and found != expected:
            raise Fault(f"expected {expected}, got {found}")
        return self.rest.pop(0)

    def uids_of(self, name):
        if name not in self.variables:
            raise Fault(f"variable {name} is not defined")
        self.used.add(name)
        return self.variables[name]

    def values(self):
        if self.peek() != "[":
            return [self.value()]
        self.take("[")
        found = []
        while self.peek() != "]":
            found.append(self.value())
            if self.peek() == ",":
                self.take()
        self.take("]")
        return found

    def value(self):
        token = self.take()
        return json.loads(token) if token[0] == '"' or re.fullmatch(r"-?\d+|true|false", token) else token

    def function(self, at_root):
        """A function from uids to whether they are meant."""
        name = self.take()
        self.take("(")
        if name == "eq":
            predicate = self.take()
            self.take(",")
            wanted = self.values()
            if at_root and "@index" not in self.store.indexed.get(predicate, ""):
                raise Fault(f"Predicate {predicate} is not indexed")

            def meant(uid):
                return any(value in wanted or str(value) in wanted for value in self.store.values(uid, predicate))
        elif name == "uid":
            uids = self.uids_of(self.take())

            def meant(uid):
                return uid in uids
        elif name == "type":
            of = self.take()

            def meant(uid):
                return of in self.store.values(uid, "dgraph.type")
        else:
            raise Fault(f"unknown function {name}")
        self.take(")")
        return meant

    def block(self):
        name, variable = self.take(), None
        if self.peek() == "as":
            self.take()
            name, variable = self.take(), name
        self.take("(")
        self.take("func")
        self.take(":")
        meant, first = self.function(True), None
        if self.peek() == ",":
            self.take()
            self.take("first")
            self.take(":")
            first = int(self.take())
        self.take(")")
        filters, group = [], None
        while self.peek().startswith("@"):
            directive = self.take()
            self.take("(")
            if directive == "@filter":
                filters.append(self.function(False))
                while self.peek() == "AND":
                    self.take()
                    filters.append(self.function(False))
            elif directive == "@groupby":
                group = self.take()
            else:
                raise Fault(f"unknown directive {directive}")
            self.take(")")
        uids = [uid for uid in self.store.data if meant(uid) and all(also(uid) for also in filters)][:first]
        if variable:
            self.variables[variable] = uids
        fields = self.fields() if self.peek() == "{" else None
        if name == "var":
            return
        if fields is None:
            raise Fault(f"block {name} asks for nothing")
        if group:
            numbers = {}
            for uid in uids:
                for value in self.store.values(uid, group):
                    numbers[value] = numbers.get(value, 0) + 1
            self.answer[name] = [{"@groupby": [{group: value, "count": number} for value, number in numbers.items()]}] if numbers else []
        elif fields == [("count", None)]:
            self.answer[name] = [{"count": len(uids)}]
        else:
            self.answer[name] = [row for row in (self.row(uid, fields) for uid in uids) if row]

    def fields(self):
        found = []
        self.take("{")
        while self.peek() != "}":
            name = self.take()
            if name == "count":
                for token in ("(", "uid", ")"):
                    self.take(token)
                found.append(("count", None))
            else:
                found.append((name, self.fields() if self.peek() == "{" else None))
        self.take("}")
        return found

    def row(self, uid, fields):
        made = {}
        for name, inner in fields:
            if inner is None:
                values = self.store.values(uid, name)
                if values:
                    made[name] = sorted(values) if self.store.kind(name).startswith("[") else values[0]
                continue
            forward = name.lstrip("~")
            if name != forward and "@reverse" not in self.store.indexed[forward]:
                raise Fault(f"Predicate {forward} doesn't have reverse edge")
            ends = self.store.values(uid, name) if name == forward else [other for other in self.store.data if uid in self.store.values(other, forward)]
            rows = [row for row in (self.row(end, inner) for end in ends) if row]
            if rows:
                made[name] = rows[0] if self.store.kind(forward) == "uid" and name == forward else rows
        return made


class DgraphFacts:
    """A store, and what it answers; called as Hostile calls what it stands in front of."""

    def __init__(self, token=None):
        self.token = token
        self.lock = threading.Lock()
        self.last = 0
        self.wipe()

    def wipe(self):
        self.data, self.kinds, self.indexed, self.types, self.requests = {}, {"dgraph.type": "[string]"}, {}, {}, []

    def __call__(self, method, path, headers, body):
        with self.lock:
            self.requests.append((path, headers.get("Content-Type")))
            try:
                if self.token and headers.get("X-Dgraph-AuthToken") != self.token:
                    raise Fault("No Auth Token found. Token needed for Admin operations.")
                data = {"/alter": self.alter, "/query": self.query, "/mutate?commitNow=true": self.mutate}[path](body.decode())
                said = {"data": data, "extensions": {"server_latency": {"total_ns": 1}, "txn": {"start_ts": 1}}}
            except Fault as fault:
                said = {"errors": [{"message": str(fault), "extensions": {"code": "ErrorInvalidRequest"}}], "data": None}
        return 200, [("Content-Type", "application/json")], json.dumps(said).encode()

    def alter(self, text):
        self.types.update({name: inner.split() for name, inner in TYPE.findall(text)})
        for name, kind, more in SCHEMA.findall(TYPE.sub("", text)):
            self.kinds[name], self.indexed[name] = kind, more
        for name, predicates in self.types.items():
            for predicate in predicates:
                if predicate not in self.kinds:
                    raise Fault(f"Schema does not contain a matching type definition for {predicate} of {name}")
        return {"code": "Success", "message": "Done"}

    def ask(self, text):
        """The blocks that a query gives."""
        query = Query(self, text)
        if set(query.variables) - query.used:
            raise Fault("Some variables are defined but not used")
        return query.answer

    def query(self, body):
        return self.ask(json.loads(body)["query"])

    def mutate(self, body):
        asked = json.loads(body)
        query, names = Query(self, asked["query"]), {}
        changes = [(mutation, self.holds(query, mutation.get("cond"))) for mutation in asked["mutations"]]
        before = json.dumps(query.answer)
        query.used.update(re.findall(r"uid\((\w+)\)", json.dumps(asked["mutations"])))
        if set(query.variables) - query.used:
            raise Fault("Some variables are defined but not used")
        made = {}
        for mutation, holds in changes:
            if holds:
                for one in mutation.get("delete", []):
                    self.remove(query, one)
                for one in mutation.get("set", []):
                    self.set(query, names, made, one)
        return {"code": "Success", "message": "Done", "queries": json.loads(before), "uids": {}}

    @staticmethod
    def holds(query, condition):
        if condition is None:
            return True
        terms = re.fullmatch(r"@if\((.*)\)", condition)
        if not terms:
            raise Fault(f"cannot read the condition {condition}")
        held = True
        for term in terms.group(1).split(" AND "):
            match = re.fullmatch(r"(eq|gt)\(len\((\w+)\), (\d+)\)", term)
            if not match:
                raise Fault(f"cannot read the condition {term}")
            length = len(query.uids_of(match.group(2)))
            held = held and (length == int(match.group(3)) if match.group(1) == "eq" else length > int(match.group(3)))
        return held

    def named(self, query, names, text):
        """The uids of uid(NAME): those of the variable, or a new one."""
        name = re.fullmatch(r"uid\((\w+)\)", text).group(1)
        uids = query.uids_of(name)
        if uids:
            return uids
        if name not in names:
            self.last += 1
            names[name] = hex(self.last)
        return [names[name]]

    def set(self, query, names, made, one):
        uids = self.named(query, names, one["uid"])
        for uid in uids:
            record = self.data.setdefault(uid, {})
            for predicate, value in one.items():
                if predicate == "uid":
                    continue
                kind = self.kind(predicate)
                if isinstance(value, dict):
                    value = [end for end in self.set(query, names, made, value)]
                elif kind != {str: "string", bool: "bool", int: "int", float: "float"}.get(type(value)) and kind != "[string]":
                    raise Fault(f"Input for predicate \"{predicate}\" of type {kind} is {value!r}")
                values = value if isinstance(value, list) else [value]
                record[predicate] = list(dict.fromkeys(record.get(predicate, []) + values)) if kind.startswith("[") else values
        return uids

    def remove(self, query, one):
        for uid in query.uids_of(re.fullmatch(r"uid\((\w+)\)", one["uid"]).group(1)):
            for predicate in [name for name in one if name != "uid"] or [*(p for of in self.values(uid, "dgraph.type") for p in self.types.get(of, ())), "dgraph.type"]:
                self.data[uid].pop(predicate, None)
            if not self.data[uid]:
                del self.data[uid]

    def kind(self, predicate):
        if predicate not in self.kinds:
            raise Fault(f"Schema not defined for predicate: {predicate}")
        return self.kinds[predicate]

    def values(self, uid, predicate):
        self.kind(predicate)
        return self.data.get(uid, {}).get(predicate, [])
