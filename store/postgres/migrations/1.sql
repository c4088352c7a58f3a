-- Keys are digests of 16 bytes of what they name; times are nanoseconds since 1970.

-- What runs at the same time as one that is older or newer by one version.
create table ledger.meta (
	version int not null,
	created timestamptz not null default now()
);

-- The names of routes, which other tables have digests of.
create table ledger.routes (
	id uuid primary key,
	name bytea not null
);

-- What of a record's key there is besides its id, so that records are found by their id.
create table ledger.kinds (
	id uuid primary key,
	route bytea not null,
	app_id bytea not null,
	type bytea not null
);

-- No index has what an attempt changes, so that its outcome is an update in place.
create table ledger.events (
	record uuid not null,
	id uuid not null,
	event_id uuid not null,
	route uuid not null,
	received bigint not null,
	version bigint not null,
	epoch bigint not null, -- of the claim that last wrote it; 0: it was accepted since
	state smallint not null,
	data bytea not null,
	primary key (record, id)
) with (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
create index events_received on ledger.events (received, id);
create index events_event_id on ledger.events (event_id);

-- The events that people look for among many others: held, dead and discarded.
create table ledger.aside (
	state smallint not null,
	received bigint not null,
	id uuid not null,
	record uuid not null,
	route uuid not null,
	primary key (state, received, id)
);

create table ledger.bodies (
	id uuid primary key,
	record uuid not null,
	received bigint not null,
	body bytea not null
);
create index bodies_received on ledger.bodies (received);

-- Small and short-lived rows: what is dead of them is to go soon.
create table ledger.due (
	route uuid not null,
	at bigint not null,
	record uuid not null,
	id uuid not null,
	primary key (route, at, id)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);

create table ledger.flags (
	flag uuid primary key,
	holder uuid not null
);

create table ledger.orders (
	id uuid primary key,
	place bytea not null,
	version bigint not null,
	data bytea not null,
	ends bigint -- when its order at the gateway is to be ended there; null: never
) with (fillfactor = 60);
create unique index orders_place on ledger.orders (place);
create index orders_ends on ledger.orders (ends) where ends is not null;

-- The orders that orders at the gateway were made for.
create table ledger.generations (
	id uuid primary key,
	order_id uuid not null
);

-- By how much the numbers of events changed. Whoever asks for them sums: a row that
-- every commit updates would be one that every commit waits for.
create table ledger.counts (
	route uuid not null,
	state smallint not null,
	n bigint not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

create table ledger.sessions (
	id uuid primary key,
	until bigint not null,
	routes bytea[] not null,
	options bytea not null
);

-- After a crash of the server, and after a failover, it is empty: see boots. A lease that
-- has ended stays for a while, so that the next epoch is higher.
create unlogged table ledger.leases (
	record uuid primary key,
	session uuid not null,
	epoch bigint not null,
	until bigint not null, -- unless its session renews it
	ends bigint not null, -- in any case
	token uuid not null -- of the call that took it
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);
create index leases_epoch on ledger.leases (epoch);
create sequence ledger.epochs;

-- Since when leases are kept: whose row is missing has lost them, as in a crash.
create unlogged table ledger.boots (
	one bool primary key default true check (one),
	id uuid not null default gen_random_uuid(),
	at bigint not null
);
insert into ledger.boots (at) values (0);

create unlogged table ledger.budgets (
	id uuid primary key,
	full_at bigint not null -- when it holds all that it can
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
