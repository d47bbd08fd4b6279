#!/bin/sh
# Gives the two roles of 01-roles.sql their passwords, from the environment of the container. The server hashes them; they
# are on no command line.
set -eu
: "${CUTOVER_OWNER_PASSWORD:?is not set}" "${CUTOVER_SERVICE_PASSWORD:?is not set}"
export CUTOVER_OWNER_PASSWORD CUTOVER_SERVICE_PASSWORD

psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" \
  --dbname "${POSTGRES_DB:-postgres}" <<'SQL'
\set owner `printf %s "$CUTOVER_OWNER_PASSWORD"`
\set service `printf %s "$CUTOVER_SERVICE_PASSWORD"`
-- Otherwise a log of statements would hold them.
SET log_statement = 'none';
SET log_min_error_statement = 'panic';
ALTER ROLE cutover_owner PASSWORD :'owner';
ALTER ROLE cutover_service PASSWORD :'service';
SQL
