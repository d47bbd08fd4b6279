//! Transfer sources and sinks on PostgreSQL.
