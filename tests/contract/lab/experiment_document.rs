//! Contract cases of the documents of experiments.

use std::collections::HashMap;

use cutover_domain::json::Json;
use cutover_domain::lab::experiment_document::{
    DocumentProgress, DocumentStatus, DocumentType, ExperimentDocument, PendingDocument,
};
use cutover_tests::store::TestStore;
use futures_util::future::join_all;

use super::experiment::experiment;
use super::{assert_conflict, assert_missing, at};

contract!(
    save_then_read,
    saving_replaces_by_experiment_and_type,
    saving_replaces_by_id,
    saving_may_replace_two,
    saves_at_once_all_happen,
    a_document_needs_its_experiment,
    a_pending_document_is_empty,
    a_pending_document_keeps_the_id_that_is_there,
    a_document_is_claimed_once,
    of_claims_at_once_one_wins,
    an_id_cannot_be_claimed_for_another_document,
    only_completed_text_is_handed_out,
    the_list_is_newest_first,
    completed_types_by_experiment,
    update_sets_what_it_holds,
    delete_says_whether_there_was_one,
);

const EXPERIMENT: &str = "exp_0000000a";

fn document(id: &str, experiment_id: &str, document_type: DocumentType) -> ExperimentDocument {
    ExperimentDocument {
        id: id.to_owned(),
        experiment_id: experiment_id.to_owned(),
        document_type: document_type.into(),
        markdown_content: "# Título 😀\n".to_owned(),
        metadata: Some(Json::parse(r#"{"exec_id": "batch_é", "n": [1.50, null]}"#).unwrap()),
        generated_at: at(0).into(),
        model: Some("gpt-4o-mini".to_owned()),
        status: DocumentStatus::Completed.into(),
        error_message: None,
    }
}

fn pending(id: &str, experiment_id: &str, document_type: DocumentType) -> PendingDocument {
    PendingDocument {
        id: id.to_owned(),
        experiment_id: experiment_id.to_owned(),
        document_type,
        model: "gpt-5".to_owned(),
        generated_at: at(60),
    }
}

/// What a claim makes of nothing.
fn claimed(claim: &PendingDocument) -> ExperimentDocument {
    ExperimentDocument {
        markdown_content: String::new(),
        metadata: None,
        generated_at: claim.generated_at.into(),
        model: Some(claim.model.clone()),
        status: DocumentStatus::Generating.into(),
        ..document(&claim.id, &claim.experiment_id, claim.document_type)
    }
}

async fn with_experiments(store: &TestStore, ids: &[&str]) {
    for id in ids {
        store.lab.experiments.insert(&experiment(id, 0)).await.unwrap();
    }
}

async fn save_then_read(store: &TestStore) {
    with_experiments(store, &[EXPERIMENT]).await;
    let documents = &store.lab.experiment_documents;
    let bare = ExperimentDocument {
        markdown_content: String::new(),
        metadata: None,
        model: None,
        status: DocumentStatus::Failed.into(),
        error_message: Some(String::new()),
        ..document("doc_0000000b", EXPERIMENT, DocumentType::Prfaq)
    };
    let odd = ExperimentDocument {
        metadata: Some(Json::parse("null").unwrap()),
        markdown_content: "ß".repeat(200_000),
        status: DocumentStatus::Partial.into(),
        ..document("any id", EXPERIMENT, DocumentType::ExecutiveSummary)
    };
    for (made, document_type) in [
        (
            document("doc_0000000a", EXPERIMENT, DocumentType::Summary),
            DocumentType::Summary,
        ),
        (bare, DocumentType::Prfaq),
        (odd, DocumentType::ExecutiveSummary),
    ] {
        documents.save(&made).await.unwrap();
        assert_eq!(documents.get(&made.id).await.unwrap(), Some(made.clone()));
        assert_eq!(
            documents.find(EXPERIMENT, document_type).await.unwrap(),
            Some(made)
        );
    }
    assert_eq!(documents.get("doc_ffffffff").await.unwrap(), None);
    assert_eq!(
        documents
            .find("exp_ffffffff", DocumentType::Summary)
            .await
            .unwrap(),
        None
    );
}

async fn saving_replaces_by_experiment_and_type(store: &TestStore) {
    with_experiments(store, &[EXPERIMENT]).await;
    let documents = &store.lab.experiment_documents;
    let first = document("doc_0000000a", EXPERIMENT, DocumentType::Summary);
    documents.save(&first).await.unwrap();
    let again = ExperimentDocument {
        metadata: None,
        markdown_content: "novo".to_owned(),
        ..first.clone()
    };
    documents.save(&again).await.unwrap();
    assert_eq!(documents.get("doc_0000000a").await.unwrap(), Some(again));
    let other_id = ExperimentDocument {
        id: "doc_0000000b".to_owned(),
        ..first
    };
    documents.save(&other_id).await.unwrap();
    assert_eq!(documents.get("doc_0000000a").await.unwrap(), None);
    assert_eq!(
        documents.find(EXPERIMENT, DocumentType::Summary).await.unwrap(),
        Some(other_id)
    );
}

async fn saving_replaces_by_id(store: &TestStore) {
    with_experiments(store, &[EXPERIMENT, "exp_0000000b"]).await;
    let documents = &store.lab.experiment_documents;
    let first = document("doc_0000000a", EXPERIMENT, DocumentType::Summary);
    documents.save(&first).await.unwrap();
    let moved = document("doc_0000000a", "exp_0000000b", DocumentType::Prfaq);
    documents.save(&moved).await.unwrap();
    assert_eq!(
        documents.find(EXPERIMENT, DocumentType::Summary).await.unwrap(),
        None
    );
    assert_eq!(documents.get("doc_0000000a").await.unwrap(), Some(moved));
}

async fn saving_may_replace_two(store: &TestStore) {
    with_experiments(store, &[EXPERIMENT, "exp_0000000b"]).await;
    let documents = &store.lab.experiment_documents;
    for made in [
        document("doc_0000000a", EXPERIMENT, DocumentType::Summary),
        document("doc_0000000b", "exp_0000000b", DocumentType::Prfaq),
    ] {
        documents.save(&made).await.unwrap();
    }
    let both = document("doc_0000000a", "exp_0000000b", DocumentType::Prfaq);
    documents.save(&both).await.unwrap();
    assert_eq!(documents.get("doc_0000000a").await.unwrap(), Some(both));
    assert_eq!(documents.get("doc_0000000b").await.unwrap(), None);
    assert_eq!(documents.list_by_experiment(EXPERIMENT).await.unwrap(), []);
}

async fn saves_at_once_all_happen(store: &TestStore) {
    with_experiments(store, &[EXPERIMENT]).await;
    let documents = &store.lab.experiment_documents;
    let saves = (0..24).map(|n| async move {
        let id = if n % 3 == 0 {
            "doc_0000000b"
        } else {
            "doc_0000000a"
        };
        let made = ExperimentDocument {
            markdown_content: n.to_string(),
            ..document(id, EXPERIMENT, DocumentType::Summary)
        };
        documents.save(&made).await
    });
    for outcome in join_all(saves).await {
        outcome.unwrap();
    }
    let list = documents.list_by_experiment(EXPERIMENT).await.unwrap();
    assert_eq!(list.len(), 1, "{list:?}");
}

async fn a_document_needs_its_experiment(store: &TestStore) {
    with_experiments(store, &[EXPERIMENT]).await;
    let documents = &store.lab.experiment_documents;
    let kept = document("doc_0000000a", EXPERIMENT, DocumentType::Summary);
    documents.save(&kept).await.unwrap();
    let orphan = document("doc_0000000a", "exp_ffffffff", DocumentType::Summary);
    assert_missing(documents.save(&orphan).await, "experiments");
    assert_eq!(documents.get("doc_0000000a").await.unwrap(), Some(kept));
    let orphan = pending("doc_0000000b", "exp_ffffffff", DocumentType::Summary);
    assert_missing(documents.create_pending(&orphan).await, "experiments");
    assert_eq!(documents.get("doc_0000000b").await.unwrap(), None);
}

async fn a_pending_document_is_empty(store: &TestStore) {
    with_experiments(store, &[EXPERIMENT]).await;
    let documents = &store.lab.experiment_documents;
    let claim = pending("doc_0000000a", EXPERIMENT, DocumentType::Prfaq);
    let made = documents.create_pending(&claim).await.unwrap();
    let expected = claimed(&claim);
    assert_eq!(expected.model.as_deref(), Some("gpt-5"));
    assert_eq!(made, Some(expected.clone()));
    assert_eq!(documents.get("doc_0000000a").await.unwrap(), Some(expected));
}

async fn a_pending_document_keeps_the_id_that_is_there(store: &TestStore) {
    with_experiments(store, &[EXPERIMENT]).await;
    let documents = &store.lab.experiment_documents;
    for (status, id) in [
        (DocumentStatus::Completed, "doc_0000000b"),
        (DocumentStatus::Failed, "doc_0000000b"),
        (DocumentStatus::Pending, "doc_0000000b"),
        // The id of the document itself, given again.
        (DocumentStatus::Partial, "doc_0000000a"),
    ] {
        let old = ExperimentDocument {
            status: status.into(),
            error_message: Some("erro".to_owned()),
            ..document("doc_0000000a", EXPERIMENT, DocumentType::Prfaq)
        };
        documents.save(&old).await.unwrap();
        let claimed = documents
            .create_pending(&pending(id, EXPERIMENT, DocumentType::Prfaq))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            (claimed.id.as_str(), claimed.markdown_content.as_str()),
            ("doc_0000000a", "")
        );
        assert_eq!((&claimed.metadata, &claimed.error_message), (&None, &None));
        assert_eq!(documents.get("doc_0000000a").await.unwrap(), Some(claimed));
        assert_eq!(documents.get("doc_0000000b").await.unwrap(), None);
    }
}

async fn a_document_is_claimed_once(store: &TestStore) {
    with_experiments(store, &[EXPERIMENT]).await;
    let documents = &store.lab.experiment_documents;
    let claim = pending("doc_0000000a", EXPERIMENT, DocumentType::Prfaq);
    let first = Some(claimed(&claim));
    assert_eq!(documents.create_pending(&claim).await.unwrap(), first);
    let second = PendingDocument {
        id: "doc_0000000b".to_owned(),
        model: "other".to_owned(),
        generated_at: at(90),
        ..claim
    };
    assert_eq!(documents.create_pending(&second).await.unwrap(), None);
    assert_eq!(documents.get("doc_0000000a").await.unwrap(), first);
    // Another type is another document.
    let other = pending("doc_0000000c", EXPERIMENT, DocumentType::Summary);
    let made = documents.create_pending(&other).await.unwrap();
    assert_eq!(made, Some(claimed(&other)));
}

async fn of_claims_at_once_one_wins(store: &TestStore) {
    with_experiments(store, &[EXPERIMENT]).await;
    let documents = &store.lab.experiment_documents;
    for round in 0..3 {
        let claims = (0..12).map(|n| async move {
            let claim = pending(
                &format!("doc_{round:04x}{n:04x}"),
                EXPERIMENT,
                DocumentType::Summary,
            );
            documents.create_pending(&claim).await.unwrap()
        });
        let won: Vec<ExperimentDocument> = join_all(claims).await.into_iter().flatten().collect();
        assert_eq!(won.len(), 1, "{won:?}");
        assert_eq!(
            documents.find(EXPERIMENT, DocumentType::Summary).await.unwrap(),
            won.into_iter().next()
        );
        let done = DocumentProgress::to(DocumentStatus::Completed, at(61));
        documents
            .update(EXPERIMENT, DocumentType::Summary, &done)
            .await
            .unwrap();
    }
}

async fn an_id_cannot_be_claimed_for_another_document(store: &TestStore) {
    with_experiments(store, &[EXPERIMENT, "exp_0000000b"]).await;
    let documents = &store.lab.experiment_documents;
    let kept = document("doc_0000000a", EXPERIMENT, DocumentType::Summary);
    documents.save(&kept).await.unwrap();
    for (experiment_id, document_type) in [
        (EXPERIMENT, DocumentType::Prfaq),
        ("exp_0000000b", DocumentType::Summary),
    ] {
        let claim = pending("doc_0000000a", experiment_id, document_type);
        assert_conflict(documents.create_pending(&claim).await, "experiment_documents.id");
    }
    assert_eq!(documents.get("doc_0000000a").await.unwrap(), Some(kept));
}

async fn only_completed_text_is_handed_out(store: &TestStore) {
    with_experiments(store, &[EXPERIMENT]).await;
    let documents = &store.lab.experiment_documents;
    for status in DocumentStatus::ALL {
        let made = ExperimentDocument {
            status: (*status).into(),
            ..document("doc_0000000a", EXPERIMENT, DocumentType::Summary)
        };
        documents.save(&made).await.unwrap();
        let text = documents
            .markdown(EXPERIMENT, DocumentType::Summary)
            .await
            .unwrap();
        let completed = *status == DocumentStatus::Completed;
        assert_eq!(
            text,
            completed.then(|| made.markdown_content.clone()),
            "{status:?}"
        );
    }
    let none = documents.markdown(EXPERIMENT, DocumentType::Prfaq).await.unwrap();
    assert_eq!(none, None);
}

async fn the_list_is_newest_first(store: &TestStore) {
    with_experiments(store, &[EXPERIMENT, "exp_0000000b"]).await;
    let documents = &store.lab.experiment_documents;
    for (id, document_type, seconds) in [
        ("doc_00000001", DocumentType::Summary, 5),
        ("doc_00000002", DocumentType::ExecutiveSummary, 9),
        ("doc_00000003", DocumentType::Prfaq, 5),
    ] {
        let made = ExperimentDocument {
            generated_at: at(seconds).into(),
            model: None,
            ..document(id, EXPERIMENT, document_type)
        };
        documents.save(&made).await.unwrap();
    }
    let other = document("doc_00000004", "exp_0000000b", DocumentType::Summary);
    documents.save(&other).await.unwrap();
    let list = documents.list_by_experiment(EXPERIMENT).await.unwrap();
    let ids: Vec<&str> = list.iter().map(|item| item.id.as_str()).collect();
    assert_eq!(ids, ["doc_00000002", "doc_00000003", "doc_00000001"]);
    assert!(
        list.iter()
            .all(|item| item.is_available() && item.model.is_none())
    );
    assert_eq!(list[0].generated_at, at(9).into());
    assert_eq!(list[1].document_type, DocumentType::Prfaq.into());
    assert_eq!(documents.list_by_experiment("exp_ffffffff").await.unwrap(), []);
}

async fn completed_types_by_experiment(store: &TestStore) {
    with_experiments(store, &[EXPERIMENT, "exp_0000000b", "exp_0000000c"]).await;
    let documents = &store.lab.experiment_documents;
    for (id, experiment_id, document_type, status) in [
        ("d1", EXPERIMENT, DocumentType::Summary, DocumentStatus::Completed),
        ("d2", EXPERIMENT, DocumentType::Prfaq, DocumentStatus::Completed),
        (
            "d3",
            EXPERIMENT,
            DocumentType::ExecutiveSummary,
            DocumentStatus::Failed,
        ),
        (
            "d4",
            "exp_0000000b",
            DocumentType::Summary,
            DocumentStatus::Generating,
        ),
        (
            "d5",
            "exp_0000000c",
            DocumentType::Summary,
            DocumentStatus::Completed,
        ),
    ] {
        let made = ExperimentDocument {
            status: status.into(),
            ..document(id, experiment_id, document_type)
        };
        documents.save(&made).await.unwrap();
    }
    let ids = [EXPERIMENT, "exp_0000000b", "exp_ffffffff"].map(str::to_owned);
    assert_eq!(
        documents.completed_by_experiment(&ids).await.unwrap(),
        HashMap::from([(
            EXPERIMENT.to_owned(),
            vec![DocumentType::Prfaq, DocumentType::Summary]
        )])
    );
    assert_eq!(
        documents.completed_by_experiment(&[]).await.unwrap(),
        HashMap::new()
    );
}

async fn update_sets_what_it_holds(store: &TestStore) {
    with_experiments(store, &[EXPERIMENT]).await;
    let documents = &store.lab.experiment_documents;
    let mut expected = document("doc_0000000a", EXPERIMENT, DocumentType::Summary);
    documents.save(&expected).await.unwrap();
    let failed = DocumentProgress {
        error_message: Some("sem saldo".to_owned()),
        ..DocumentProgress::to(DocumentStatus::Failed, at(10))
    };
    assert!(
        documents
            .update(EXPERIMENT, DocumentType::Summary, &failed)
            .await
            .unwrap()
    );
    expected.status = DocumentStatus::Failed.into();
    expected.error_message = Some("sem saldo".to_owned());
    assert_eq!(
        documents.get("doc_0000000a").await.unwrap(),
        Some(expected.clone())
    );
    let done = DocumentProgress {
        markdown_content: Some(String::new()),
        metadata: Some(Json::parse("[]").unwrap()),
        ..DocumentProgress::to(DocumentStatus::Completed, at(20))
    };
    assert!(
        documents
            .update(EXPERIMENT, DocumentType::Summary, &done)
            .await
            .unwrap()
    );
    expected.status = DocumentStatus::Completed.into();
    expected.markdown_content = String::new();
    expected.metadata = Some(Json::parse("[]").unwrap());
    expected.generated_at = at(20).into();
    assert_eq!(documents.get("doc_0000000a").await.unwrap(), Some(expected));
    assert!(
        !documents
            .update(EXPERIMENT, DocumentType::Prfaq, &done)
            .await
            .unwrap()
    );
}

async fn delete_says_whether_there_was_one(store: &TestStore) {
    with_experiments(store, &[EXPERIMENT]).await;
    let documents = &store.lab.experiment_documents;
    for (id, document_type) in [
        ("doc_0000000a", DocumentType::Summary),
        ("doc_0000000b", DocumentType::Prfaq),
    ] {
        documents
            .save(&document(id, EXPERIMENT, document_type))
            .await
            .unwrap();
    }
    assert!(documents.delete(EXPERIMENT, DocumentType::Summary).await.unwrap());
    assert!(!documents.delete(EXPERIMENT, DocumentType::Summary).await.unwrap());
    assert_eq!(documents.get("doc_0000000a").await.unwrap(), None);
    let other = document("doc_0000000b", EXPERIMENT, DocumentType::Prfaq);
    assert_eq!(documents.get("doc_0000000b").await.unwrap(), Some(other));
    // What was stuck in generation is free again.
    let claim = pending("doc_0000000c", EXPERIMENT, DocumentType::Summary);
    let made = Some(claimed(&claim));
    assert_eq!(documents.create_pending(&claim).await.unwrap(), made);
    assert!(documents.delete(EXPERIMENT, DocumentType::Summary).await.unwrap());
    assert_eq!(documents.create_pending(&claim).await.unwrap(), made);
}

#[cfg(feature = "sqlite")]
mod old_files {
    use cutover_domain::stored::{Stored, StoredValue};

    use super::*;

    /// A model of NULL, two spellings of time, a status and a type outside their checks, broken metadata.
    #[tokio::test]
    async fn rows_that_break_rules_are_read() {
        let store = TestStore::sqlite().await;
        with_experiments(&store, &[EXPERIMENT]).await;
        let raw = store.file().unwrap().raw();
        raw.execute_batch(
            "PRAGMA ignore_check_constraints = ON;
            INSERT INTO experiment_documents
                (id, experiment_id, document_type, markdown_content, metadata, generated_at, model, status) VALUES
                ('d1', 'exp_0000000a', 'summary', 'a', '', '2026-01-01T12:00:00.5', NULL, 'completed'),
                ('d2', 'exp_0000000a', 'prfaq', 'b', '{bad', '2026-01-01T12:00:00.600000+00:00', 'm', 'lost'),
                (NULL, 'exp_0000000a', 'poem', x'c3a9', NULL, 'one day', 7, 'completed');",
        )
        .unwrap();
        let documents = &store.lab.experiment_documents;
        let list = documents.list_by_experiment(EXPERIMENT).await.unwrap();
        let ids: Vec<&str> = list.iter().map(|item| item.id.as_str()).collect();
        assert_eq!(ids, ["d2", "d1", ""]);
        assert_eq!(
            list[0].status,
            Stored::Other(StoredValue::Text("lost".to_owned()))
        );
        assert_eq!(
            list[2].document_type,
            Stored::Other(StoredValue::Text("poem".to_owned()))
        );
        assert_eq!(list[1].model, None);
        let found = documents
            .find(EXPERIMENT, DocumentType::Prfaq)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(found.metadata.unwrap().as_str(), "{bad");
        let ids = [EXPERIMENT.to_owned()];
        let completed = documents.completed_by_experiment(&ids).await.unwrap();
        assert_eq!(completed[EXPERIMENT], [DocumentType::Summary]);
        // A document without an id can be claimed and deleted like any other.
        raw.execute_batch("UPDATE experiment_documents SET id = NULL WHERE id = 'd1'")
            .unwrap();
        let claim = pending("doc_0000000a", EXPERIMENT, DocumentType::Summary);
        assert_eq!(
            documents.create_pending(&claim).await.unwrap().unwrap().status,
            DocumentStatus::Generating.into()
        );
        assert!(documents.delete(EXPERIMENT, DocumentType::Summary).await.unwrap());
    }
}
