//! Moves a live application from SQLite to PostgreSQL, one repository at a time, with nothing lost and a way back at every step.
