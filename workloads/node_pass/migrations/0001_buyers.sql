-- Licences and who bought them. Runs as the schema's owner, in one transaction, with the schema
-- first on the search_path. Nobody deletes a buyer: a refund is a status.

CREATE TABLE buyers (
    id          bigint GENERATED ALWAYS AS IDENTITY,
    license_id  text        NOT NULL,
    wallet      text        NOT NULL,
    tier        text        NOT NULL,
    status      text        NOT NULL DEFAULT 'pending_wire',
    tx_hash     text,                              -- null until the licence is minted
    email       text,                              -- optional: as little personal data as possible
    name        text,
    created_at  timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT buyers_pkey PRIMARY KEY (id),
    CONSTRAINT buyers_license_id_check CHECK (license_id <> ''),
    CONSTRAINT buyers_wallet_check CHECK (wallet <> ''),
    CONSTRAINT buyers_tier_check CHECK (tier <> ''),
    CONSTRAINT buyers_status_check
        CHECK (status IN ('pending_wire', 'active', 'expired', 'refunded'))
);

CREATE UNIQUE INDEX buyers_license_id_idx ON buyers (license_id);         -- no licence sold twice
CREATE INDEX buyers_wallet_idx ON buyers (wallet);                        -- dashboard
CREATE INDEX buyers_tier_idx ON buyers (tier);                            -- caps, analytics
CREATE INDEX buyers_status_idx ON buyers (status);                        -- pending wires, refunds
CREATE INDEX buyers_created_at_idx ON buyers (created_at);                -- newest first
CREATE INDEX buyers_wallet_status_idx ON buyers (wallet, status);         -- a wallet's active ones

COMMENT ON TABLE buyers IS 'One licence each; refunded ones stay for seven years.';
