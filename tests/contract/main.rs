//! The contract of every port, as cases that run on every adapter.
//!
//! A case is a private function in the file of its repository, listed in that file's `contract!`, which makes a test of
//! it per store: one left off the list is a dead-code warning.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a case fails where its preparation fails"
)]

/// Runs each case on SQLite, on PostgreSQL, and with `experiments` and every second other repository on PostgreSQL and
/// the rest on SQLite; each time on a fresh store.
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

        #[cfg(all(feature = "sqlite", feature = "postgres"))]
        mod on_both {
            $(#[tokio::test]
            async fn $case() {
                super::$case(&cutover_tests::store::TestStore::routed(&crate::splits::alternating()).await).await;
            })+
        }

        /// Every case, for the runs over random routings.
        #[cfg(all(feature = "sqlite", feature = "postgres"))]
        pub(crate) const CASES: &[crate::splits::Case] =
            &[$((concat!(module_path!(), "::", stringify!($case)), |store| Box::pin($case(store)))),+];
    };
}

mod lab;
mod market;
#[cfg(all(feature = "sqlite", feature = "postgres"))]
mod splits;
mod writer;
