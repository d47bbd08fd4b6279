//! Cutover's ports on PostgreSQL.
