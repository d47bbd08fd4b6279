//! Cutover's schemas, up and down, for SQLite and PostgreSQL, and what runs them.
