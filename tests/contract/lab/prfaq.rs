//! Contract cases of the PR/FAQs.

use std::collections::HashSet;

use cutover_domain::json::Json;
use cutover_domain::lab::prfaq::{
    Prfaq, PrfaqOrder, PrfaqProgress, PrfaqSort, PrfaqStatus, PrfaqSummary, ValidationStatus,
};
use cutover_domain::lab::synth::SortDirection;
use cutover_ports::PageRequest;
use cutover_tests::store::TestStore;
use futures_util::future::join_all;

use super::at;

contract!(
    without_any_all_reads_are_empty,
    save_then_get,
    saving_replaces_whole,
    a_pending_one_has_nothing_yet,
    a_pending_one_keeps_its_contents,
    of_claims_at_once_one_wins,
    update_sets_what_it_holds,
    the_list_is_newest_first_and_pages_never_overlap,
    the_list_can_be_ordered_by_every_column,
    completed_among_some,
);

fn prfaq(exec_id: &str) -> Prfaq {
    Prfaq {
        summary: PrfaqSummary {
            exec_id: exec_id.to_owned(),
            generated_at: Some(at(0).into()),
            model: Some("gpt-4o-mini".to_owned()),
            validation_status: Some(ValidationStatus::Valid.into()),
            confidence_score: Some(0.9.into()),
            headline: Some("Lançamento 😀".to_owned()),
            one_liner: Some(String::new()),
            faq_count: Some(3.into()),
            status: Some(PrfaqStatus::Completed.into()),
            started_at: None,
        },
        markdown_content: Some("# é\n".to_owned()),
        json_content: Some(Json::parse(r#"{"faq": [{"q": "é?", "n": 1e2}]}"#).unwrap()),
        error_message: None,
    }
}

fn bare(exec_id: &str) -> Prfaq {
    Prfaq {
        summary: PrfaqSummary {
            exec_id: exec_id.to_owned(),
            generated_at: None,
            model: None,
            validation_status: None,
            confidence_score: None,
            headline: None,
            one_liner: None,
            faq_count: None,
            status: None,
            started_at: None,
        },
        markdown_content: None,
        json_content: None,
        error_message: None,
    }
}

async fn without_any_all_reads_are_empty(store: &TestStore) {
    let prfaqs = &store.lab.prfaqs;
    assert_eq!(prfaqs.get("batch_1").await.unwrap(), None);
    let page = prfaqs
        .list(PrfaqOrder::default(), PageRequest::first(10))
        .await
        .unwrap();
    assert_eq!((page.items.len(), page.total), (0, 0));
    assert_eq!(
        prfaqs.completed_among(&["batch_1".to_owned()]).await.unwrap(),
        HashSet::new()
    );
    let progress = PrfaqProgress::to(PrfaqStatus::Completed, at(0));
    assert!(!prfaqs.update("batch_1", &progress).await.unwrap());
}

async fn save_then_get(store: &TestStore) {
    let prfaqs = &store.lab.prfaqs;
    let mut odd = prfaq("é'\"; --");
    odd.summary.faq_count = Some(i64::MIN.into());
    odd.summary.confidence_score = Some((-1.5e300).into());
    odd.json_content = Some(Json::parse("null").unwrap());
    odd.markdown_content = Some("ß".repeat(100_000));
    for made in [prfaq("batch_1"), bare("batch_2"), bare(""), odd] {
        prfaqs.save(&made).await.unwrap();
        assert_eq!(prfaqs.get(&made.summary.exec_id).await.unwrap(), Some(made));
    }
}

async fn saving_replaces_whole(store: &TestStore) {
    let prfaqs = &store.lab.prfaqs;
    let mut failed = prfaq("batch_1");
    failed.error_message = Some("erro".to_owned());
    failed.summary.started_at = Some(at(-9).into());
    prfaqs.save(&failed).await.unwrap();
    prfaqs.save(&bare("batch_1")).await.unwrap();
    assert_eq!(prfaqs.get("batch_1").await.unwrap(), Some(bare("batch_1")));
}

async fn a_pending_one_has_nothing_yet(store: &TestStore) {
    let prfaqs = &store.lab.prfaqs;
    assert!(prfaqs.create_pending("batch_1", "gpt-5", at(5)).await.unwrap());
    let mut expected = bare("batch_1");
    expected.summary.model = Some("gpt-5".to_owned());
    expected.summary.validation_status = Some(ValidationStatus::Valid.into());
    expected.summary.faq_count = Some(0.into());
    expected.summary.status = Some(PrfaqStatus::Generating.into());
    expected.summary.started_at = Some(at(5).into());
    assert_eq!(prfaqs.get("batch_1").await.unwrap(), Some(expected.clone()));
    assert!(!prfaqs.create_pending("batch_1", "other", at(6)).await.unwrap());
    assert_eq!(prfaqs.get("batch_1").await.unwrap(), Some(expected));
}

async fn a_pending_one_keeps_its_contents(store: &TestStore) {
    let prfaqs = &store.lab.prfaqs;
    for status in [Some(PrfaqStatus::Completed), Some(PrfaqStatus::Failed), None] {
        let mut old = prfaq("batch_1");
        old.summary.status = status.map(Into::into);
        old.error_message = Some("erro".to_owned());
        prfaqs.save(&old).await.unwrap();
        assert!(prfaqs.create_pending("batch_1", "gpt-5", at(5)).await.unwrap());
        let mut expected = prfaq("batch_1");
        expected.summary.model = Some("gpt-5".to_owned());
        expected.summary.status = Some(PrfaqStatus::Generating.into());
        expected.summary.started_at = Some(at(5).into());
        assert_eq!(prfaqs.get("batch_1").await.unwrap(), Some(expected), "{status:?}");
    }
}

async fn of_claims_at_once_one_wins(store: &TestStore) {
    let prfaqs = &store.lab.prfaqs;
    for _ in 0..3 {
        let claims = (0..12).map(|n| async move {
            prfaqs
                .create_pending("batch_1", &format!("m{n}"), at(n))
                .await
                .unwrap()
        });
        let won: Vec<usize> = join_all(claims)
            .await
            .into_iter()
            .enumerate()
            .filter_map(|(n, won)| won.then_some(n))
            .collect();
        assert_eq!(won.len(), 1, "{won:?}");
        let stored = prfaqs.get("batch_1").await.unwrap().unwrap();
        assert_eq!(stored.summary.model, Some(format!("m{}", won[0])));
        let failed = PrfaqProgress::to(PrfaqStatus::Failed, at(100));
        assert!(prfaqs.update("batch_1", &failed).await.unwrap());
    }
}

async fn update_sets_what_it_holds(store: &TestStore) {
    let prfaqs = &store.lab.prfaqs;
    let mut expected = prfaq("batch_1");
    prfaqs.save(&expected).await.unwrap();
    let failed = PrfaqProgress {
        error_message: Some("sem saldo".to_owned()),
        ..PrfaqProgress::to(PrfaqStatus::Failed, at(10))
    };
    assert!(prfaqs.update("batch_1", &failed).await.unwrap());
    expected.summary.status = Some(PrfaqStatus::Failed.into());
    expected.error_message = Some("sem saldo".to_owned());
    assert_eq!(prfaqs.get("batch_1").await.unwrap(), Some(expected.clone()));
    let done = PrfaqProgress {
        markdown_content: Some("novo".to_owned()),
        json_content: Some(Json::parse("[]").unwrap()),
        headline: Some(String::new()),
        one_liner: Some("é".to_owned()),
        faq_count: Some(0),
        validation_status: Some(ValidationStatus::Invalid),
        confidence_score: Some(0.0),
        ..PrfaqProgress::to(PrfaqStatus::Completed, at(20))
    };
    assert!(prfaqs.update("batch_1", &done).await.unwrap());
    expected.summary = PrfaqSummary {
        generated_at: Some(at(20).into()),
        validation_status: Some(ValidationStatus::Invalid.into()),
        confidence_score: Some(0.0.into()),
        headline: Some(String::new()),
        one_liner: Some("é".to_owned()),
        faq_count: Some(0.into()),
        status: Some(PrfaqStatus::Completed.into()),
        ..expected.summary
    };
    expected.markdown_content = Some("novo".to_owned());
    expected.json_content = Some(Json::parse("[]").unwrap());
    assert_eq!(prfaqs.get("batch_1").await.unwrap(), Some(expected));
    assert!(!prfaqs.update("batch_2", &done).await.unwrap());
}

async fn the_list_is_newest_first_and_pages_never_overlap(store: &TestStore) {
    let prfaqs = &store.lab.prfaqs;
    for (exec_id, seconds) in [
        ("b", Some(5)),
        ("a", Some(5)),
        ("c", None),
        ("d", Some(9)),
        ("e", None),
    ] {
        let mut made = prfaq(exec_id);
        made.summary.generated_at = seconds.map(|seconds| at(seconds).into());
        prfaqs.save(&made).await.unwrap();
    }
    let mut seen = Vec::new();
    for offset in [0, 2, 4, 6] {
        let page = prfaqs
            .list(PrfaqOrder::default(), PageRequest { limit: 2, offset })
            .await
            .unwrap();
        assert_eq!(page.total, 5);
        seen.extend(page.items.into_iter().map(|item| item.exec_id));
    }
    assert_eq!(seen, ["d", "a", "b", "c", "e"]);
}

async fn the_list_can_be_ordered_by_every_column(store: &TestStore) {
    let prfaqs = &store.lab.prfaqs;
    let mut low = prfaq("m");
    low.summary = PrfaqSummary {
        generated_at: Some(at(0).into()),
        model: Some("Z".to_owned()),
        validation_status: Some(ValidationStatus::Invalid.into()),
        confidence_score: Some((-1.0).into()),
        headline: Some(String::new()),
        one_liner: Some("Zebra".to_owned()),
        faq_count: Some(2.into()),
        status: Some(PrfaqStatus::Completed.into()),
        started_at: Some(at(0).into()),
        ..low.summary
    };
    let mut high = prfaq("n");
    high.summary = PrfaqSummary {
        generated_at: Some(at(1).into()),
        model: Some("a".to_owned()),
        validation_status: Some(ValidationStatus::Valid.into()),
        confidence_score: Some(0.5.into()),
        headline: Some("É".to_owned()),
        one_liner: Some("anta".to_owned()),
        faq_count: Some(10.into()),
        status: Some(PrfaqStatus::Failed.into()),
        started_at: Some(at(1).into()),
        ..high.summary
    };
    for made in [&bare("a"), &low, &high] {
        prfaqs.save(made).await.unwrap();
    }
    for sort in PrfaqSort::ALL {
        let mut seen = Vec::new();
        for direction in [SortDirection::Ascending, SortDirection::Descending] {
            let order = PrfaqOrder {
                sort: *sort,
                direction,
            };
            let page = prfaqs.list(order, PageRequest::first(10)).await.unwrap();
            seen.push(
                page.items
                    .into_iter()
                    .map(|item| item.exec_id)
                    .collect::<String>(),
            );
        }
        assert_eq!(seen, ["amn", "nma"], "{sort:?}");
    }
}

async fn completed_among_some(store: &TestStore) {
    let prfaqs = &store.lab.prfaqs;
    prfaqs.save(&prfaq("a")).await.unwrap();
    prfaqs.save(&prfaq("d")).await.unwrap();
    prfaqs.save(&bare("b")).await.unwrap();
    prfaqs.create_pending("c", "m", at(0)).await.unwrap();
    let ids = ["a", "b", "c", "x"].map(str::to_owned);
    assert_eq!(
        prfaqs.completed_among(&ids).await.unwrap(),
        HashSet::from(["a".to_owned()])
    );
    assert_eq!(prfaqs.completed_among(&[]).await.unwrap(), HashSet::new());
}

#[cfg(feature = "sqlite")]
mod old_files {
    use cutover_domain::stored::{Stored, StoredValue};
    use cutover_tests::store::TestFile;

    use super::*;

    fn tables(file: &TestFile) -> Vec<String> {
        let raw = file.raw();
        let mut statement = raw
            .prepare("SELECT name FROM sqlite_schema WHERE tbl_name = 'prfaq_metadata' AND sql IS NOT NULL ORDER BY name")
            .unwrap();
        let names = statement.query_map([], |row| row.get(0)).unwrap();
        names.collect::<Result<_, _>>().unwrap()
    }

    #[tokio::test]
    async fn reading_does_not_make_the_table_and_the_first_write_does() {
        let store = TestStore::sqlite().await;
        without_any_all_reads_are_empty(&store).await;
        assert_eq!(tables(store.file().unwrap()), Vec::<String>::new());
        store
            .lab
            .prfaqs
            .create_pending("batch_1", "m", at(0))
            .await
            .unwrap();
        assert_eq!(
            tables(store.file().unwrap()),
            ["idx_prfaq_generated", "idx_prfaq_status", "prfaq_metadata"]
        );
    }

    /// A key of NULL, a status outside the check, text in a number column, a naive time.
    #[tokio::test]
    async fn rows_that_break_rules_are_read() {
        let store = TestStore::sqlite().await;
        store.lab.prfaqs.save(&bare("a")).await.unwrap();
        let raw = store.file().unwrap().raw();
        raw.execute_batch(
            "PRAGMA ignore_check_constraints = ON;
            INSERT INTO prfaq_metadata (exec_id, generated_at, status, faq_count, confidence_score, json_content) VALUES
                (NULL, '2026-01-01T12:00:00', 'archived', 'many', 1, '{bad'),
                ('b', '2026-01-01 12:00:01', 'completed', 2, 'high', NULL);",
        )
        .unwrap();
        let order = PrfaqOrder::default();
        let page = store
            .lab
            .prfaqs
            .list(order, PageRequest::first(10))
            .await
            .unwrap();
        let ids: Vec<&str> = page.items.iter().map(|item| item.exec_id.as_str()).collect();
        assert_eq!((ids.as_slice(), page.total), (["b", "", "a"].as_slice(), 3));
        assert_eq!(
            page.items[1].status,
            Some(Stored::Other(StoredValue::Text("archived".to_owned())))
        );
        assert_eq!(
            page.items[1].faq_count,
            Some(Stored::Other(StoredValue::Text("many".to_owned())))
        );
        assert_eq!(page.items[1].confidence_score, Some(1.0.into()));
        assert_eq!(
            page.items[0].confidence_score,
            Some(Stored::Other(StoredValue::Text("high".to_owned())))
        );
    }
}
