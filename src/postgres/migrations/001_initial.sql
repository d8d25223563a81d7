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
  -- When the last entry was booked; 0: none was. The clock of the next epoch does not begin before.
  booked_ms bigint NOT NULL DEFAULT 0,
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

-- Generations of a partition's state in Redis. Of each, keys are admitted once: others that name the same epoch never serve.
CREATE TABLE epochs (
  partition integer NOT NULL,
  epoch bigint NOT NULL,
  -- Seq of the last entry before the epoch.
  after_seq bigint NOT NULL,
  -- Of the keys in Redis that were admitted; null: none yet.
  token text,
  -- Of the server that they were admitted under; they serve under no other one.
  run_id text,
  opened_at timestamptz NOT NULL DEFAULT now(),
  -- Seq of its last entry that is in the ledger; what it applied beyond is lost. Null: it is the open one.
  last_seq bigint,
  closed_at timestamptz,
  closed_because text,
  PRIMARY KEY (partition, epoch)
);

-- Records of journals that could not follow what is in the ledger, kept for people: raw, names and values of their fields in turn.
CREATE TABLE set_aside_records (
  partition integer NOT NULL,
  epoch bigint NOT NULL,
  first_seq bigint NOT NULL,
  last_seq bigint NOT NULL,
  -- sha-256 of the raw record.
  hash bytea NOT NULL,
  fields bytea[] NOT NULL,
  set_aside_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (partition, epoch, first_seq, hash)
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
  -- When its subscription is due or the next lot expires; 0: never.
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
  -- Number of the agent whose own it is; 0: the account's.
  owner integer NOT NULL,
  PRIMARY KEY (account_key, lot_id)
) WITH (fillfactor = 70);

-- The plan of an account, what is to come of it, and its agents, as of the cursor; no row: it never had any.
CREATE TABLE subscriptions (
  account_key bigint PRIMARY KEY,
  -- Empty: none.
  plan text COLLATE "C" NOT NULL,
  -- The last billing period that began; 0: none.
  period_start_ms bigint NOT NULL,
  period_end_ms bigint NOT NULL,
  -- When something happens to it by itself; 0: never.
  due_ms bigint NOT NULL,
  -- The subscription as Redis keeps it.
  state bytea NOT NULL
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
-- The id before the kind: nearly every comparison ends there.
CREATE UNIQUE INDEX entries_once ON entries (account_key, id, kind, event_month);
CREATE INDEX entries_account_seq ON entries (account_key, account_seq);
-- What became of a charge, and what is still to be rated: both are few.
CREATE INDEX entries_corrects ON entries (account_key, (note->>'corrects')) WHERE note IS NOT NULL;
CREATE INDEX entries_unrated ON entries (account_key, account_seq) WHERE flags <> '' AND flags LIKE '%unrated%' AND kind IN ('usage', 'settle');

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

-- What an account had when a month (UTC, yyyymm, of booked time) began: every wallet, after the account's last line before it. Written once,
-- where the account had lines since its openings before; so a balance of the past is never more than a month of lines away.
CREATE TABLE opening_balances (
  account_key bigint NOT NULL,
  month integer NOT NULL,
  unit text COLLATE "C" NOT NULL,
  -- The account's last line before the month.
  account_seq bigint NOT NULL,
  remaining bigint NOT NULL,
  held bigint NOT NULL,
  debt bigint NOT NULL,
  PRIMARY KEY (account_key, month, unit)
);

-- Months whose openings are there for all accounts of a partition: everything booked before them is.
CREATE TABLE opened_months (
  partition integer NOT NULL,
  month integer NOT NULL,
  opened_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (partition, month)
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

-- Makes the partition of the ledger for one month where it is missing. Safe to call from many sidecars at once. Made as a table and attached then: to
-- create it as a partition would lock the ledger against its readers, and wait for the longest of them, a verification.
CREATE FUNCTION ensure_entries_month(month integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  next_month integer := CASE WHEN month % 100 = 12 THEN month + 89 ELSE month + 1 END;
BEGIN
  IF to_regclass(format('entries_%s', month)) IS NULL THEN
    PERFORM pg_advisory_xact_lock(hashtext('drawdown entries month'));
    IF to_regclass(format('entries_%s', month)) IS NULL THEN
      EXECUTE format('CREATE TABLE entries_%s (LIKE entries INCLUDING ALL)', month);
      EXECUTE format('ALTER TABLE entries ATTACH PARTITION entries_%s FOR VALUES FROM (%s) TO (%s)', month, month, next_month);
    END IF;
  END IF;
END $$;

-- How many of an account's lines were booked before a moment. Lines are numbered without gaps in the order of booking, so it is found by
-- bisection: at least `low` are known to have been, at most `high`. Null: a line in between is not there, its month is detached.
CREATE FUNCTION lines_before(key bigint, moment timestamptz, low bigint, high bigint) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
  middle bigint;
  booked timestamptz;
BEGIN
  WHILE low < high LOOP
    middle := (low + high + 1) / 2;
    SELECT e.booked_time INTO booked FROM entries e WHERE e.account_key = key AND e.account_seq = middle;
    IF NOT FOUND THEN
      RETURN NULL;
    ELSIF booked < moment THEN
      low := middle;
    ELSE
      high := middle - 1;
    END IF;
  END LOOP;
  RETURN low;
END $$;

-- The same between the openings that are there: those of months through the moment's lie before it, those of later ones do not.
CREATE FUNCTION lines_before(key bigint, moment timestamptz) RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT lines_before(key, moment,
    coalesce((SELECT max(o.account_seq) FROM opening_balances o WHERE o.account_key = key
      AND o.month <= to_char(moment AT TIME ZONE 'UTC', 'YYYYMM')::integer), 0),
    coalesce((SELECT min(o.account_seq) FROM opening_balances o WHERE o.account_key = key
      AND o.month > to_char(moment AT TIME ZONE 'UTC', 'YYYYMM')::integer),
      (SELECT a.entries FROM accounts a WHERE a.account_key = key)))
$$;

-- How many of an account's first `through` lines are not there, of those since the openings before: their months are detached.
CREATE FUNCTION lines_missing(key bigint, through bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
  WITH base AS (
    SELECT coalesce(max(o.account_seq), 0) AS seq FROM opening_balances o WHERE o.account_key = key AND o.account_seq <= through
  )
  SELECT through - base.seq -
    (SELECT count(*) FROM entries e WHERE e.account_key = key AND e.account_seq > base.seq AND e.account_seq <= through) FROM base
$$;

-- Every wallet after an account's first `through` lines, where none is missing: after its own last line since the openings before, else as they say.
CREATE FUNCTION balances_after(key bigint, through bigint)
RETURNS TABLE (unit text, remaining bigint, held bigint, debt bigint) LANGUAGE sql STABLE AS $$
  WITH base AS (
    SELECT coalesce(max(o.account_seq), 0) AS seq FROM opening_balances o WHERE o.account_key = key AND o.account_seq <= through
  )
  SELECT w.unit, coalesce(e.remaining_after, o.remaining), coalesce(e.held_after, o.held), coalesce(e.debt_after, o.debt)
  FROM base CROSS JOIN wallets w
  LEFT JOIN LATERAL (
    SELECT l.remaining_after, l.held_after, l.debt_after FROM entries l
    WHERE l.account_key = key AND l.account_seq > base.seq AND l.account_seq <= through AND l.unit = w.unit
    ORDER BY l.account_seq DESC LIMIT 1
  ) e ON true
  LEFT JOIN LATERAL (
    SELECT b.remaining, b.held, b.debt FROM opening_balances b
    WHERE b.account_key = key AND b.account_seq = base.seq AND b.unit = w.unit LIMIT 1
  ) o ON true
  WHERE w.account_key = key AND coalesce(e.remaining_after, o.remaining) IS NOT NULL
$$;

-- Writes an account's openings of a month before which everything of its partition is in the ledger; returns how many wallets. Repeats
-- change nothing. Nothing is written where nothing was booked since the openings before, or where a line is not there.
CREATE FUNCTION write_opening(key bigint, opened integer) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  through bigint := lines_before(key, make_timestamptz(opened / 100, opened % 100, 1, 0, 0, 0, 'UTC'));
  written bigint;
BEGIN
  IF through IS NULL OR through = 0
    OR EXISTS (SELECT FROM opening_balances o WHERE o.account_key = key AND o.month <= opened AND o.account_seq = through)
    OR lines_missing(key, through) > 0 THEN
    RETURN 0;
  END IF;
  INSERT INTO opening_balances (account_key, month, unit, account_seq, remaining, held, debt)
  SELECT key, opened, b.unit, through, b.remaining, b.held, b.debt FROM balances_after(key, through) b
  ON CONFLICT (account_key, month, unit) DO NOTHING;
  GET DIAGNOSTICS written = ROW_COUNT;
  RETURN written;
END $$;

-- Down Migration
-- There is none: a ledger is not taken back. Restore a backup instead.
