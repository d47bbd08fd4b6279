-- Two roles and what each may do in this database. Run it as a superuser, connected to the database that Cutover uses; it can be
-- run again. It sets no passwords: 02-passwords.sh does that here, elsewhere ALTER ROLE … PASSWORD.
--
--   cutover_owner    owns the tables: `cutover migrate`, `cutover copy`
--   cutover_service  reads and writes rows: `cutover serve`
--
-- Do not name a role `cutover`: PostgreSQL's search path begins with "$user", so its tables would land in the schema `cutover`,
-- which holds Cutover's own.

DO $$
DECLARE
  role_name text;
BEGIN
  FOREACH role_name IN ARRAY ARRAY['cutover_owner', 'cutover_service'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
      EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS', role_name);
    END IF;
  END LOOP;

  -- By default everybody may connect to a database and make temporary tables in it.
  EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
  EXECUTE format('GRANT CONNECT, CREATE, TEMPORARY ON DATABASE %I TO cutover_owner', current_database());
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO cutover_service', current_database());
END
$$;

-- Before PostgreSQL 15 everybody may create in `public`.
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO cutover_owner;
GRANT USAGE ON SCHEMA public TO cutover_service;

CREATE SCHEMA IF NOT EXISTS cutover AUTHORIZATION cutover_owner;
GRANT USAGE ON SCHEMA cutover TO cutover_service;

-- The tables that are there, and those that the owner will make. Not TRUNCATE, REFERENCES or TRIGGER: rows only. Numbers that rows
-- get from a sequence need a right of their own.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public, cutover TO cutover_service;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public, cutover TO cutover_service;
ALTER DEFAULT PRIVILEGES FOR ROLE cutover_owner IN SCHEMA public, cutover
  GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO cutover_service;
ALTER DEFAULT PRIVILEGES FOR ROLE cutover_owner IN SCHEMA public, cutover
  GRANT USAGE ON SEQUENCES TO cutover_service;
