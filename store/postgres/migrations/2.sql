-- How far the records of each account have been compared with the ledger.
create table ledger.looks (
	id uuid primary key,
	data bytea not null
);
