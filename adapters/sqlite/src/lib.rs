//! Cutover's ports on SQLite.
