-- What a caller without the capability for personal data sees instead of it.

CREATE TABLE reason.pii_rule (
    name     text    NOT NULL,
    category text    NOT NULL,
    member   text,
    pattern  text,
    builtin  boolean NOT NULL DEFAULT false,
    CONSTRAINT pii_rule_pkey PRIMARY KEY (name),
    CONSTRAINT pii_rule_category_check CHECK (category ~ '^[a-z][a-z0-9_]*$'),
    CONSTRAINT pii_rule_kind_check CHECK ((member IS NULL) <> (pattern IS NULL))
);
COMMENT ON TABLE reason.pii_rule IS 'Catalogue of personal data in payloads: members by name, strings by pattern. What matches is replaced by "[redacted:<category>]".';
COMMENT ON COLUMN reason.pii_rule.member IS 'Regular expression, without regard to case, for the names of members whose whole value is personal.';
COMMENT ON COLUMN reason.pii_rule.pattern IS 'Regular expression for personal data within strings.';
COMMENT ON COLUMN reason.pii_rule.builtin IS 'Came with the extension; not dumped.';

INSERT INTO reason.pii_rule (name, category, member, pattern, builtin) VALUES
    ('email member', 'email', '^(e[-_]?mail)(_?address)?$', NULL, true),
    ('email', 'email', NULL, '[^\s@<>"'',;:()]+@[^\s@<>"'',;:()]+[.][^\s@<>"'',;:().]+', true),
    ('phone member', 'phone', '^(phone|telephone|mobile|fax)(_?number)?$', NULL, true),
    ('phone', 'phone', NULL, '\+[1-9]\d{0,2}[ .-]?(\(\d{1,4}\)|\d{1,4})([ .-]?\d{2,4}){2,4}', true),
    ('card member', 'card', '^(card|credit_?card|pan)(_?number)?$', NULL, true),
    ('card', 'card', NULL, '\m\d{4}([ -]?\d{4}){2}[ -]?\d{1,7}\M', true),
    ('national id member', 'national_id', '^(ssn|social_?security(_?number)?|national_?id|passport(_?number)?|tax_?id)$', NULL, true),
    ('national id', 'national_id', NULL, '\m\d{3}-\d{2}-\d{4}\M', true);

CREATE FUNCTION reason.redact(payload jsonb) RETURNS jsonb
LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'reason_redact';
COMMENT ON FUNCTION reason.redact(jsonb) IS 'The payload with personal data replaced according to pii_rule. Expressions are matched in collation C, so that the same payload is redacted alike everywhere.';
