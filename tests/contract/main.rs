//! The contract of every port, as cases that run on every adapter.
//!
//! A case is a private function in the file of its repository, listed in that file's `contract!`, which makes a test of
//! it per store: one left off the list is a dead-code warning.

/// Runs each case on SQLite and on PostgreSQL, each time on a fresh store.
macro_rules! contract {
    ($($case:ident),+ $(,)?) => {
        #[cfg(feature = "sqlite")]
        mod on_sqlite {
            $(#[tokio::test]
            async fn $case() {
                super::$case(&cutover_tests::store::TestStore::sqlite().await).await;
            })+
        }

        #[cfg(feature = "postgres")]
        mod on_postgres {
            $(#[tokio::test]
            async fn $case() {
                super::$case(&cutover_tests::store::TestStore::postgres().await).await;
            })+
        }
    };
}

mod lab;
