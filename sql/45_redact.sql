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
    ('email', 'email', NULL, '[[:alnum:]._%+-]+@[[:alnum:]-]+(\.[[:alnum:]-]+)+', true),
    ('phone member', 'phone', '^(phone|telephone|mobile|fax)(_?number)?$', NULL, true),
    ('phone', 'phone', NULL, '\+[1-9]\d{0,2}[ .-]?(\(\d{1,4}\)|\d{1,4})([ .-]?\d{2,4}){2,4}', true),
    ('card member', 'card', '^(card|credit_?card|pan)(_?number)?$', NULL, true),
    ('card', 'card', NULL, '\m\d{4}([ -]?\d{4}){2}[ -]?\d{1,7}\M', true),
    ('national id member', 'national_id', '^(ssn|social_?security(_?number)?|national_?id|passport(_?number)?|tax_?id)$', NULL, true),
    ('national id', 'national_id', NULL, '\m\d{3}-\d{2}-\d{4}\M', true);

CREATE FUNCTION reason.redact(payload jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    redacted text;
    rule record;
BEGIN
    CASE jsonb_typeof(payload)
        WHEN 'object' THEN
            RETURN (SELECT coalesce(jsonb_object_agg(m.key, coalesce(
                        (SELECT to_jsonb('[redacted:' || r.category || ']')
                         FROM reason.pii_rule r WHERE m.key ~* r.member ORDER BY r.name LIMIT 1),
                        reason.redact(m.value))), '{}')
                    FROM jsonb_each(payload) m);
        WHEN 'array' THEN
            RETURN (SELECT coalesce(jsonb_agg(reason.redact(e.value) ORDER BY e.ordinality), '[]')
                    FROM jsonb_array_elements(payload) WITH ORDINALITY e);
        WHEN 'string' THEN
            redacted := payload #>> '{}';
            FOR rule IN SELECT r.category, r.pattern FROM reason.pii_rule r WHERE r.pattern IS NOT NULL ORDER BY r.name LOOP
                redacted := regexp_replace(redacted, rule.pattern, '[redacted:' || rule.category || ']', 'g');
            END LOOP;
            RETURN to_jsonb(redacted);
        WHEN 'number' THEN
            -- A card number is one written as a number too.
            IF EXISTS (SELECT FROM reason.pii_rule r WHERE r.category = 'card' AND payload::text ~ ('^' || r.pattern || '$')) THEN
                RETURN to_jsonb('[redacted:card]'::text);
            END IF;
            RETURN payload;
        ELSE
            RETURN payload;
    END CASE;
END
$$;
COMMENT ON FUNCTION reason.redact(jsonb) IS 'The payload with personal data replaced according to pii_rule.';
