-- Up Migration

-- Which installation this database belongs to; the same id stands in Redis, so that neither is used with another's partner.
CREATE TABLE installation (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  installation_id uuid NOT NULL DEFAULT gen_random_uuid(),
  partition_count integer NOT NULL,
  format integer NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

-- One row a partition: the cursor. FOR UPDATE on it is the flusher's fence.
CREATE TABLE partitions (
  partition integer PRIMARY KEY,
  epoch bigint NOT NULL,
  -- Seq of the last entry that is durable.
  seq bigint NOT NULL,
  -- First seq and sha-256 of the journal record that holds it; null before the first flush of an epoch.
  record_seq bigint,
  record_hash bytea,
  -- Bytes of the journal through that record, counted from the start of the epoch.
  bytes bigint NOT NULL DEFAULT 0,
  -- Hash of the last flush: each covers the one before.
  chain bytea NOT NULL
) WITH (fillfactor = 50);

-- Which sidecar flushes and sweeps a partition. A lying lease is harmless: the cursor decides. A table of its own, because
-- a flush holds the cursor's row for as long as it takes, and a lease must be renewed meanwhile.
CREATE TABLE leases (
  partition integer PRIMARY KEY,
  owner text,
  until timestamptz
) WITH (fillfactor = 50);

CREATE TABLE epochs (
  partition integer NOT NULL,
  epoch bigint NOT NULL,
  -- Seq of the last entry before the epoch.
  after_seq bigint NOT NULL,
  opened_at timestamptz NOT NULL DEFAULT now(),
  last_seq bigint,
  closed_at timestamptz,
  PRIMARY KEY (partition, epoch)
);

CREATE SEQUENCE account_keys;

CREATE TABLE accounts (
  account_key bigint PRIMARY KEY,
  -- The only place of the external id: erasing it here leaves the ledger intact.
  account_id text COLLATE "C" UNIQUE,
  partition integer NOT NULL,
  status smallint NOT NULL,
  -- Ledger lines so far.
  entries bigint NOT NULL,
  -- Seq of the last change in the partition.
  seq bigint NOT NULL,
  changed_ms bigint NOT NULL,
  lots_made integer NOT NULL,
  open_holds integer NOT NULL,
  -- When the next lot expires; 0: none.
  next_due_ms bigint NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX accounts_next_due ON accounts (partition, next_due_ms) WHERE next_due_ms > 0;

CREATE TABLE wallets (
  account_key bigint NOT NULL,
  unit text NOT NULL,
  debt bigint NOT NULL,
  -- Totals over the life of the wallet, without a limit: granted + debt = remaining of its lots + spent + expired + converted.
  granted numeric NOT NULL,
  spent numeric NOT NULL,
  expired numeric NOT NULL,
  converted numeric NOT NULL,
  PRIMARY KEY (account_key, unit)
) WITH (fillfactor = 70);

CREATE TABLE lots (
  account_key bigint NOT NULL,
  lot_id integer NOT NULL,
  unit text NOT NULL,
  source text NOT NULL,
  priority integer NOT NULL,
  -- 0: never.
  expires_ms bigint NOT NULL,
  remaining bigint NOT NULL,
  held bigint NOT NULL,
  PRIMARY KEY (account_key, lot_id)
) WITH (fillfactor = 70);

-- Open holds as of the cursor.
CREATE TABLE holds (
  account_key bigint NOT NULL,
  hold_id text COLLATE "C" NOT NULL,
  partition integer NOT NULL,
  agent text NOT NULL,
  meter text NOT NULL,
  model text NOT NULL,
  unit text NOT NULL,
  held bigint NOT NULL,
  start_ms bigint NOT NULL,
  deadline_ms bigint NOT NULL,
  catalog_version integer NOT NULL,
  -- The hold as Redis keeps it.
  state bytea NOT NULL,
  PRIMARY KEY (account_key, hold_id)
) WITH (fillfactor = 70);
CREATE INDEX holds_deadline ON holds (partition, deadline_ms);
CREATE INDEX holds_start ON holds (partition, start_ms);

-- The ledger. Immutable. Partitioned by the month (UTC, yyyymm) of the event's own time.
-- granted + debt = change of remaining + spent + expired + converted, for every line.
CREATE TABLE entries (
  account_key bigint NOT NULL,
  account_seq bigint NOT NULL,
  partition integer NOT NULL,
  epoch bigint NOT NULL,
  seq bigint NOT NULL,
  kind text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  payload_hash bigint NOT NULL,
  event_month integer NOT NULL,
  event_time timestamptz NOT NULL,
  booked_time timestamptz NOT NULL,
  agent text COLLATE "C" NOT NULL,
  meter text COLLATE "C" NOT NULL,
  model text COLLATE "C" NOT NULL,
  quantities json NOT NULL,
  catalog_version integer NOT NULL,
  unit text COLLATE "C" NOT NULL,
  granted bigint NOT NULL,
  spent bigint NOT NULL,
  expired bigint NOT NULL,
  converted bigint NOT NULL,
  debt bigint NOT NULL,
  -- What a hold gave back when it ended; moves nothing between the columns above.
  released bigint NOT NULL,
  -- [[lot, change of remaining], ...]
  lots json NOT NULL,
  remaining_after bigint NOT NULL,
  held_after bigint NOT NULL,
  debt_after bigint NOT NULL,
  flags text COLLATE "C" NOT NULL,
  -- What a line says beside its numbers: which charge it corrects, which status the account has now, and why. Null for most.
  note json,
  -- crc32 over the columns above in their binary form: a changed line is found by itself.
  checksum integer NOT NULL
) PARTITION BY RANGE (event_month);
CREATE UNIQUE INDEX entries_once ON entries (account_key, kind, id, event_month);
CREATE INDEX entries_account_seq ON entries (account_key, account_seq);
-- What became of a charge, and what is still to be rated: both are few.
CREATE INDEX entries_corrects ON entries (account_key, (note->>'corrects')) WHERE note IS NOT NULL;
CREATE INDEX entries_unrated ON entries (account_key, account_seq) WHERE kind IN ('usage', 'settle') AND flags LIKE '%unrated%';

-- One row a flush and partition: contiguous, chained.
CREATE TABLE flushes (
  partition integer NOT NULL,
  epoch bigint NOT NULL,
  from_seq bigint NOT NULL,
  to_seq bigint NOT NULL,
  records integer NOT NULL,
  -- Ledger lines among the entries from_seq..to_seq.
  lines integer NOT NULL,
  format smallint NOT NULL,
  -- sha-256 of the raw journal records; of the lines' binary rows in order of seq; of (chain before, raw_hash, rows_hash).
  raw_hash bytea NOT NULL,
  rows_hash bytea NOT NULL,
  chain bytea NOT NULL,
  flushed_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (partition, from_seq)
);

-- Charges that Redis made twice and only Postgres noticed. Deleted in the transaction that books the reversal.
CREATE TABLE reversals_due (
  partition integer NOT NULL,
  epoch bigint NOT NULL,
  seq bigint NOT NULL,
  account_key bigint NOT NULL,
  -- The id of the reversal: made from partition, epoch and seq.
  reversal_id text COLLATE "C" NOT NULL UNIQUE,
  unit text NOT NULL,
  amount bigint NOT NULL,
  event_time_ms bigint NOT NULL,
  -- What each lot gave: [[lot, amount], ...]
  lots json NOT NULL,
  PRIMARY KEY (partition, epoch, seq)
);

-- Versions of the catalog. Immutable; the highest is in force. Content may come back: an older one published again is a new version.
CREATE TABLE catalog_versions (
  version integer PRIMARY KEY,
  hash text NOT NULL,
  content json NOT NULL,
  published_by text COLLATE "C" NOT NULL,
  published_at timestamptz NOT NULL DEFAULT now()
);

-- Every request to publish that was not refused, and the version that it made or found in force.
CREATE TABLE catalog_requests (
  request_id text COLLATE "C" PRIMARY KEY,
  hash text NOT NULL,
  published_by text COLLATE "C" NOT NULL,
  version integer NOT NULL REFERENCES catalog_versions,
  made_version boolean NOT NULL
);

-- Makes the partition of the ledger for one month where it is missing. Safe to call from many sidecars at once.
CREATE FUNCTION ensure_entries_month(month integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  next_month integer := CASE WHEN month % 100 = 12 THEN month + 89 ELSE month + 1 END;
BEGIN
  IF to_regclass(format('entries_%s', month)) IS NULL THEN
    PERFORM pg_advisory_xact_lock(hashtext('drawdown entries month'));
    EXECUTE format('CREATE TABLE IF NOT EXISTS entries_%s PARTITION OF entries FOR VALUES FROM (%s) TO (%s)', month, month, next_month);
  END IF;
END $$;

-- Down Migration
-- There is none: a ledger is not taken back. Restore a backup instead.
