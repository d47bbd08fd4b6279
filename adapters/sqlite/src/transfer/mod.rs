//! Transfer sources and sinks on SQLite.
