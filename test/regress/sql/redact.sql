-- Redaction: members by name, strings by pattern, whatever they are nested in.
\pset format unaligned
\pset tuples_only on
SELECT reason.redact('{"email": "ada@example.org", "t": "mail ada@example.org, or call +44 20 7946 0958.", "n": 3}');
SELECT reason.redact('{"c": "4111 1111 1111 1111", "n": 4111111111111111, "m": 12, "SSN": 1, "ssn_of": 1, "x": "078-05-1120"}');
SELECT reason.redact('{"phone": {"a": [1, {"b": 2}]}, "l": ["a@b.cc", {"E-Mail": [1], "z": null}], "after": "kept"}');
SELECT reason.redact('{"text": "jürgen@bücher.example and ada@example"}');
SELECT reason.redact('"+44 20 7946 0958"'), reason.redact('4111111111111111'), reason.redact('null'), reason.redact('[]'), reason.redact('{}'), reason.redact('[[["x@y.zz"]]]');
-- a rule of one's own
INSERT INTO reason.pii_rule (name, category, pattern) VALUES ('staff number', 'staff', '\mS-\d{4}\M');
SELECT reason.redact('{"who": "S-1234, not S-12345"}');
