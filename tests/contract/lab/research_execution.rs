//! Contract cases of the research executions and their transcripts.

use std::collections::{HashMap, HashSet};

use cutover_domain::json::Json;
use cutover_domain::lab::research_execution::{
    ExecutionOrder, ExecutionProgress, ExecutionSort, ExecutionStatus, Message, ResearchExecution,
    Transcript, TranscriptSummary, interview_topic,
};
use cutover_domain::lab::synth::SortDirection;
use cutover_ports::PageRequest;
use cutover_tests::store::TestStore;
use futures_util::future::join_all;

use super::experiment::experiment;
use super::{assert_conflict, assert_missing, at};

contract!(
    insert_then_get,
    a_taken_key_conflicts,
    an_execution_needs_the_experiment_that_it_names,
    the_list_is_newest_first_and_pages_never_overlap,
    the_list_can_be_ordered_by_every_column,
    executions_of_an_experiment,
    the_latest_automatic_interviews,
    counts_by_experiment,
    update_sets_what_it_holds,
    batches_about_executions,
    transcripts_without_an_id_stand_side_by_side,
    a_transcript_is_keyed_twice,
    a_transcript_needs_its_execution,
    transcripts_are_listed_oldest_first,
    turns_add_up_without_overflow,
    interviews_at_once_are_all_stored,
);

const EXPERIMENT: &str = "exp_0000000a";

fn execution(exec_id: &str, seconds: i64) -> ResearchExecution {
    ResearchExecution {
        exec_id: exec_id.to_owned(),
        experiment_id: None,
        topic_name: "avaliação 😀".to_owned(),
        status: ExecutionStatus::Running.into(),
        synth_count: 10.into(),
        successful_count: Some(0.into()),
        failed_count: Some(0.into()),
        model: Some("gpt-4o-mini".to_owned()),
        max_turns: Some(6.into()),
        started_at: at(seconds).into(),
        completed_at: None,
        additional_context: None,
    }
}

fn transcript(exec_id: &str, synth_id: &str, seconds: i64) -> Transcript {
    let said = Message {
        speaker: "Ana".to_owned(),
        text: "Olá 😀 \"sim\"".to_owned(),
        internal_notes: None,
    };
    Transcript::completed(exec_id, synth_id, "Ana É", &[said.clone(), said], at(seconds))
}

async fn with_experiments(store: &TestStore, ids: &[&str]) {
    for id in ids {
        store.lab.experiments.insert(&experiment(id, 0)).await.unwrap();
    }
}

async fn insert_then_get(store: &TestStore) {
    with_experiments(store, &[EXPERIMENT]).await;
    let executions = &store.lab.research_executions;
    let full = ResearchExecution {
        experiment_id: Some(EXPERIMENT.to_owned()),
        status: ExecutionStatus::GeneratingSummary.into(),
        synth_count: i64::MAX.into(),
        successful_count: Some(i64::MIN.into()),
        completed_at: Some(at(-1).into()),
        additional_context: Some(String::new()),
        ..execution("batch_exp_é_20260101_120000", 0)
    };
    let bare = ResearchExecution {
        topic_name: String::new(),
        successful_count: None,
        failed_count: None,
        model: None,
        max_turns: None,
        ..execution("", 0)
    };
    for made in [full, bare] {
        executions.insert(&made).await.unwrap();
        assert_eq!(executions.get(&made.exec_id).await.unwrap(), Some(made));
    }
    assert_eq!(executions.get("batch_none").await.unwrap(), None);
}

async fn a_taken_key_conflicts(store: &TestStore) {
    let executions = &store.lab.research_executions;
    executions.insert(&execution("batch_1", 0)).await.unwrap();
    assert_conflict(
        executions.insert(&execution("batch_1", 1)).await,
        "research_executions.exec_id",
    );
    assert_eq!(
        executions.get("batch_1").await.unwrap(),
        Some(execution("batch_1", 0))
    );
}

async fn an_execution_needs_the_experiment_that_it_names(store: &TestStore) {
    let executions = &store.lab.research_executions;
    let orphan = ResearchExecution {
        experiment_id: Some("exp_ffffffff".to_owned()),
        ..execution("batch_1", 0)
    };
    assert_missing(executions.insert(&orphan).await, "experiments");
    assert_eq!(executions.get("batch_1").await.unwrap(), None);
}

async fn the_list_is_newest_first_and_pages_never_overlap(store: &TestStore) {
    let executions = &store.lab.research_executions;
    for (exec_id, seconds) in [("c", 5), ("a", 5), ("b", 7), ("d", 1)] {
        executions.insert(&execution(exec_id, seconds)).await.unwrap();
    }
    let mut seen = Vec::new();
    for offset in [0, 2, 4] {
        let page = executions
            .list(ExecutionOrder::default(), PageRequest { limit: 2, offset })
            .await
            .unwrap();
        assert_eq!(page.total, 4);
        seen.extend(page.items.into_iter().map(|item| item.exec_id));
    }
    assert_eq!(seen, ["b", "a", "c", "d"]);
}

async fn the_list_can_be_ordered_by_every_column(store: &TestStore) {
    with_experiments(store, &[EXPERIMENT, "exp_0000000b"]).await;
    let executions = &store.lab.research_executions;
    let least = ResearchExecution {
        topic_name: String::new(),
        status: ExecutionStatus::Completed.into(),
        synth_count: (-1).into(),
        successful_count: None,
        failed_count: None,
        model: None,
        max_turns: None,
        ..execution("a", 0)
    };
    let low = ResearchExecution {
        experiment_id: Some(EXPERIMENT.to_owned()),
        topic_name: "Z".to_owned(),
        status: ExecutionStatus::Failed.into(),
        synth_count: 2.into(),
        successful_count: Some(2.into()),
        failed_count: Some(2.into()),
        model: Some("Z".to_owned()),
        max_turns: Some(2.into()),
        completed_at: Some(at(1).into()),
        ..execution("m", 1)
    };
    let high = ResearchExecution {
        experiment_id: Some("exp_0000000b".to_owned()),
        topic_name: "a".to_owned(),
        status: ExecutionStatus::Running.into(),
        synth_count: 10.into(),
        successful_count: Some(10.into()),
        failed_count: Some(10.into()),
        model: Some("É".to_owned()),
        max_turns: Some(10.into()),
        completed_at: Some(at(2).into()),
        ..execution("n", 2)
    };
    for made in [&high, &least, &low] {
        executions.insert(made).await.unwrap();
    }
    for sort in ExecutionSort::ALL {
        let mut seen = Vec::new();
        for direction in [SortDirection::Ascending, SortDirection::Descending] {
            let order = ExecutionOrder {
                sort: *sort,
                direction,
            };
            let page = executions.list(order, PageRequest::first(10)).await.unwrap();
            let ids: String = page.items.into_iter().map(|item| item.exec_id).collect();
            seen.push(ids);
        }
        assert_eq!(seen, ["amn", "nma"], "{sort:?}");
    }
}

async fn executions_of_an_experiment(store: &TestStore) {
    with_experiments(store, &[EXPERIMENT, "exp_0000000b"]).await;
    let executions = &store.lab.research_executions;
    for (exec_id, experiment_id, seconds) in [
        ("c", Some(EXPERIMENT), 5),
        ("a", Some(EXPERIMENT), 5),
        ("b", Some(EXPERIMENT), 7),
        ("d", Some("exp_0000000b"), 9),
        ("e", None, 9),
    ] {
        let made = ResearchExecution {
            experiment_id: experiment_id.map(str::to_owned),
            ..execution(exec_id, seconds)
        };
        executions.insert(&made).await.unwrap();
    }
    for (limit, expected) in [(0, 0), (1, 1), (2, 2), (3, 3), (100, 3)] {
        let newest = executions.newest_by_experiment(EXPERIMENT, limit).await.unwrap();
        let keys: Vec<&str> = newest.iter().map(|item| item.exec_id.as_str()).collect();
        assert_eq!(keys, ["b", "a", "c"][..expected]);
    }
    let none = executions.newest_by_experiment("exp_ffffffff", 5).await.unwrap();
    assert_eq!(none, []);
}

async fn the_latest_automatic_interviews(store: &TestStore) {
    // As a pattern the first one's topic would match the second's.
    with_experiments(store, &["exp_0000000a", "exp-0000000a", "exp_0000000b"]).await;
    let executions = &store.lab.research_executions;
    assert_eq!(executions.latest_automatic("exp_0000000a").await.unwrap(), None);
    let automatic = interview_topic("exp_0000000a", true);
    for (exec_id, experiment_id, topic, seconds) in [
        ("a", "exp_0000000a", automatic.clone(), 1),
        ("b", "exp_0000000a", format!("{automatic}_2"), 3),
        ("c", "exp_0000000a", interview_topic("exp_0000000a", false), 5),
        ("d", "exp_0000000a", automatic.to_uppercase(), 6),
        ("e", "exp_0000000a", format!("x{automatic}"), 7),
        ("f", "exp-0000000a", interview_topic("exp-0000000a", true), 9),
        ("g", "exp_0000000a", "exp_exp_0000000a%auto".to_owned(), 9),
        ("h", "exp_0000000a", automatic.clone(), 3),
    ] {
        let made = ResearchExecution {
            experiment_id: Some(experiment_id.to_owned()),
            topic_name: topic,
            ..execution(exec_id, seconds)
        };
        executions.insert(&made).await.unwrap();
    }
    let found = executions.latest_automatic("exp_0000000a").await.unwrap();
    assert_eq!(found.unwrap().exec_id, "b");
    let found = executions.latest_automatic("exp-0000000a").await.unwrap();
    assert_eq!(found.unwrap().exec_id, "f");
    assert_eq!(executions.latest_automatic("exp_0000000b").await.unwrap(), None);
}

async fn counts_by_experiment(store: &TestStore) {
    with_experiments(store, &[EXPERIMENT, "exp_0000000b", "exp_0000000c"]).await;
    let executions = &store.lab.research_executions;
    for (exec_id, experiment_id) in [
        ("a", Some(EXPERIMENT)),
        ("b", Some(EXPERIMENT)),
        ("c", Some("exp_0000000c")),
        ("d", None),
    ] {
        let made = ResearchExecution {
            experiment_id: experiment_id.map(str::to_owned),
            ..execution(exec_id, 0)
        };
        executions.insert(&made).await.unwrap();
    }
    let ids = [EXPERIMENT, "exp_0000000b", "exp_ffffffff"].map(str::to_owned);
    assert_eq!(
        executions.counts_by_experiment(&ids).await.unwrap(),
        HashMap::from([(EXPERIMENT.to_owned(), 2)])
    );
    assert_eq!(
        executions.counts_by_experiment(&[]).await.unwrap(),
        HashMap::new()
    );
}

async fn update_sets_what_it_holds(store: &TestStore) {
    let executions = &store.lab.research_executions;
    let mut expected = execution("batch_1", 0);
    executions.insert(&expected).await.unwrap();
    let summarising = ExecutionProgress {
        successful_count: Some(9),
        ..ExecutionProgress::to(ExecutionStatus::GeneratingSummary, at(5))
    };
    assert!(executions.update("batch_1", &summarising).await.unwrap());
    expected.status = ExecutionStatus::GeneratingSummary.into();
    expected.successful_count = Some(9.into());
    assert_eq!(executions.get("batch_1").await.unwrap(), Some(expected.clone()));
    let done = ExecutionProgress {
        failed_count: Some(1),
        ..ExecutionProgress::to(ExecutionStatus::Completed, at(6))
    };
    assert!(executions.update("batch_1", &done).await.unwrap());
    expected.status = ExecutionStatus::Completed.into();
    expected.failed_count = Some(1.into());
    expected.completed_at = Some(at(6).into());
    assert_eq!(executions.get("batch_1").await.unwrap(), Some(expected));
    assert!(!executions.update("batch_2", &done).await.unwrap());
}

async fn batches_about_executions(store: &TestStore) {
    let executions = &store.lab.research_executions;
    for (exec_id, context) in [
        ("a", Some("mais é")),
        ("b", None),
        ("c", Some("")),
        ("d", Some("x")),
    ] {
        let made = ResearchExecution {
            additional_context: context.map(str::to_owned),
            ..execution(exec_id, 0)
        };
        executions.insert(&made).await.unwrap();
    }
    for (exec_id, synth_id, turns) in [("a", "s1", Some(3)), ("a", "s2", Some(4)), ("b", "s1", None)] {
        let mut made = transcript(exec_id, synth_id, 0);
        made.summary.turn_count = turns.map(Into::into);
        executions.insert_transcript(&made).await.unwrap();
    }
    let ids = ["a", "b", "c", "x"].map(str::to_owned);
    assert_eq!(
        executions.additional_contexts(&ids).await.unwrap(),
        HashMap::from([
            ("a".to_owned(), "mais é".to_owned()),
            ("c".to_owned(), String::new())
        ])
    );
    assert_eq!(
        executions.total_turns(&ids).await.unwrap(),
        HashMap::from([("a".to_owned(), 7), ("b".to_owned(), 0)])
    );
    let topics = executions.topics(&ids).await.unwrap();
    assert!(!topics.contains_key("x"), "{topics:?}");
    assert_eq!(topics["a"], execution("a", 0).topic_name);
    // Only old files hold such a summary.
    assert_eq!(executions.with_summary(&ids).await.unwrap(), HashSet::new());
    assert_eq!(executions.additional_contexts(&[]).await.unwrap(), HashMap::new());
    assert_eq!(executions.total_turns(&[]).await.unwrap(), HashMap::new());
}

async fn transcripts_without_an_id_stand_side_by_side(store: &TestStore) {
    let executions = &store.lab.research_executions;
    executions.insert(&execution("batch_1", 0)).await.unwrap();
    let odd = Transcript {
        id: Some("0b6e".to_owned()),
        summary: TranscriptSummary {
            synth_name: String::new(),
            status: "qualquer coisa".to_owned(),
            turn_count: None,
            ..transcript("batch_1", "é", 3).summary
        },
        messages: None,
        ..transcript("batch_1", "é", 3)
    };
    let wild = Transcript {
        messages: Some(Json::parse(r#"{"not": "a list", "n": 1e-3}"#).unwrap()),
        ..transcript("batch_1", "", 4)
    };
    for made in [
        transcript("batch_1", "abc123", 1),
        transcript("batch_1", "abc124", 2),
        odd,
        wild,
    ] {
        executions.insert_transcript(&made).await.unwrap();
        let read = executions
            .get_transcript("batch_1", &made.summary.synth_id)
            .await
            .unwrap();
        assert_eq!(read, Some(made));
    }
    assert_eq!(executions.get_transcript("batch_1", "zzz").await.unwrap(), None);
    assert_eq!(
        executions.get_transcript("batch_2", "abc123").await.unwrap(),
        None
    );
}

async fn a_transcript_is_keyed_twice(store: &TestStore) {
    let executions = &store.lab.research_executions;
    executions.insert(&execution("batch_1", 0)).await.unwrap();
    let first = Transcript {
        id: Some("t1".to_owned()),
        ..transcript("batch_1", "s1", 0)
    };
    executions.insert_transcript(&first).await.unwrap();
    assert_conflict(
        executions
            .insert_transcript(&transcript("batch_1", "s1", 9))
            .await,
        "transcripts.exec_id,synth_id",
    );
    let same_id = Transcript {
        id: Some("t1".to_owned()),
        ..transcript("batch_1", "s2", 9)
    };
    assert_conflict(executions.insert_transcript(&same_id).await, "transcripts.id");
    assert_eq!(
        executions.get_transcript("batch_1", "s1").await.unwrap(),
        Some(first)
    );
    assert_eq!(executions.get_transcript("batch_1", "s2").await.unwrap(), None);
}

async fn a_transcript_needs_its_execution(store: &TestStore) {
    let executions = &store.lab.research_executions;
    assert_missing(
        executions
            .insert_transcript(&transcript("batch_none", "s1", 0))
            .await,
        "research_executions",
    );
}

async fn transcripts_are_listed_oldest_first(store: &TestStore) {
    let executions = &store.lab.research_executions;
    for exec_id in ["batch_1", "batch_2"] {
        executions.insert(&execution(exec_id, 0)).await.unwrap();
    }
    for (exec_id, synth_id, seconds) in [
        ("batch_1", "s3", 5),
        ("batch_1", "s1", 5),
        ("batch_1", "s2", 7),
        ("batch_1", "s4", 1),
        ("batch_2", "s1", 0),
    ] {
        let made = transcript(exec_id, synth_id, seconds);
        executions.insert_transcript(&made).await.unwrap();
    }
    let mut seen = Vec::new();
    for offset in [0, 2, 4] {
        let page = PageRequest { limit: 2, offset };
        let summaries = executions.list_transcripts("batch_1", page).await.unwrap();
        let whole = executions.read_transcripts("batch_1", page).await.unwrap();
        assert_eq!((summaries.total, whole.total), (4, 4));
        for item in &whole.items {
            assert_eq!(item.exec_id, "batch_1");
            assert_eq!(item.said().unwrap().len(), 2);
        }
        assert_eq!(
            summaries.items,
            whole
                .items
                .into_iter()
                .map(|item| item.summary)
                .collect::<Vec<_>>()
        );
        seen.extend(summaries.items.into_iter().map(|item| item.synth_id));
    }
    assert_eq!(seen, ["s4", "s1", "s3", "s2"]);
    let none = executions
        .list_transcripts("batch_3", PageRequest::first(5))
        .await
        .unwrap();
    assert_eq!((none.items.len(), none.total), (0, 0));
}

async fn turns_add_up_without_overflow(store: &TestStore) {
    let executions = &store.lab.research_executions;
    for (exec_id, turns) in [
        ("above", vec![i64::MAX, i64::MAX, 1]),
        ("below", vec![i64::MIN, -1]),
        ("between", vec![i64::MAX, i64::MIN, i64::MAX]),
        ("exact", vec![(1 << 60) + 1, -(1 << 40) - 1, 7]),
    ] {
        executions.insert(&execution(exec_id, 0)).await.unwrap();
        for (number, turns) in turns.into_iter().enumerate() {
            let mut made = transcript(exec_id, &format!("s{number}"), 0);
            made.summary.turn_count = Some(turns.into());
            executions.insert_transcript(&made).await.unwrap();
        }
    }
    let ids = ["above", "below", "between", "exact"].map(str::to_owned);
    assert_eq!(
        executions.total_turns(&ids).await.unwrap(),
        HashMap::from([
            ("above".to_owned(), i64::MAX),
            ("below".to_owned(), i64::MIN),
            ("between".to_owned(), i64::MAX - 1),
            ("exact".to_owned(), (1 << 60) - (1 << 40) + 7),
        ])
    );
}

async fn interviews_at_once_are_all_stored(store: &TestStore) {
    let executions = &store.lab.research_executions;
    executions.insert(&execution("batch_1", 0)).await.unwrap();
    let interviews = (0..40).map(|number| async move {
        let made = transcript("batch_1", &format!("s{number:02}"), number);
        executions.insert_transcript(&made).await
    });
    for outcome in join_all(interviews).await {
        outcome.unwrap();
    }
    let page = executions
        .list_transcripts("batch_1", PageRequest::first(100))
        .await
        .unwrap();
    let seen: Vec<String> = page.items.into_iter().map(|item| item.synth_id).collect();
    let expected: Vec<String> = (0..40).map(|number| format!("s{number:02}")).collect();
    assert_eq!(seen, expected);
}

#[cfg(feature = "sqlite")]
mod old_files {
    use cutover_domain::stored::{Stored, StoredValue};
    use cutover_ports::StoreError;

    use super::*;

    /// Files of schema version 7 hold summaries and lack the additional context.
    #[tokio::test]
    async fn a_file_with_other_columns_is_read_and_written() {
        let store = TestStore::sqlite().await;
        let raw = store.file().unwrap().raw();
        raw.execute_batch(
            "ALTER TABLE research_executions DROP COLUMN additional_context;
            ALTER TABLE research_executions ADD COLUMN summary_content TEXT;
            INSERT INTO research_executions (exec_id, topic_name, synth_count, started_at, summary_content) VALUES
                ('a', 't', 1, '2026-01-01T12:00:00.5', '# Resumo'),
                ('b', 't', 1, '2026-01-01 12:00:01', ''),
                ('c', 't', 1, '2025-12-31', NULL);",
        )
        .unwrap();
        let executions = &store.lab.research_executions;
        let ids = ["a", "b", "c", "x"].map(str::to_owned);
        assert_eq!(
            executions.with_summary(&ids).await.unwrap(),
            HashSet::from(["a".to_owned()])
        );
        assert_eq!(
            executions.additional_contexts(&ids).await.unwrap(),
            HashMap::new()
        );
        let page = executions
            .list(ExecutionOrder::default(), PageRequest::first(10))
            .await
            .unwrap();
        let seen: String = page.items.iter().map(|item| item.exec_id.as_str()).collect();
        assert_eq!(seen, "bac");
        assert_eq!(page.items[0].additional_context, None);

        executions.insert(&execution("d", 0)).await.unwrap();
        assert_eq!(executions.get("d").await.unwrap(), Some(execution("d", 0)));
        let with_context = ResearchExecution {
            additional_context: Some("x".to_owned()),
            ..execution("e", 0)
        };
        let refused = executions.insert(&with_context).await.unwrap_err();
        assert!(
            matches!(&refused, StoreError::Invalid { what, .. } if what == "research_executions.additional_context"),
            "{refused:?}"
        );
        assert_eq!(executions.get("e").await.unwrap(), None);
    }

    /// Keys of NULL, a status outside the check, text in number columns, a broken document.
    #[tokio::test]
    async fn rows_that_break_rules_are_read() {
        let store = TestStore::sqlite().await;
        let raw = store.file().unwrap().raw();
        raw.execute_batch(
            "PRAGMA ignore_check_constraints = ON;
            INSERT INTO research_executions (exec_id, topic_name, status, synth_count, max_turns, started_at) VALUES
                ('a', 't', 'archived', 'ten', 'six', 'once'), (NULL, 't', 'running', 1, 6, '2026-01-01');
            INSERT INTO transcripts (exec_id, synth_id, synth_name, status, turn_count, timestamp, messages) VALUES
                ('a', 's1', 'n', 'odd', 'three', '2026-01-01T12:00:00', '{bad'),
                ('a', 's2', 'n', 'odd', 4, '2026-01-01T12:00:00.000001+00:00', NULL),
                ('a', 's3', 'n', 'odd', '5', 'never', '[]');",
        )
        .unwrap();
        let executions = &store.lab.research_executions;
        let text = |text: &str| Stored::Other(StoredValue::Text(text.to_owned()));
        let found = executions.get("a").await.unwrap().unwrap();
        assert_eq!(found.synth_count, text("ten"));
        assert_eq!(found.max_turns, Some(text("six")));
        assert_eq!(
            found.status,
            Stored::Other(StoredValue::Text("archived".to_owned()))
        );
        assert_eq!(
            found.started_at,
            Stored::Other(StoredValue::Text("once".to_owned()))
        );
        let page = executions
            .list(ExecutionOrder::default(), PageRequest::first(10))
            .await
            .unwrap();
        let seen: Vec<&str> = page.items.iter().map(|item| item.exec_id.as_str()).collect();
        assert_eq!(seen, ["", "a"]);

        let read = executions
            .read_transcripts("a", PageRequest::first(10))
            .await
            .unwrap();
        let seen: Vec<&str> = read
            .items
            .iter()
            .map(|item| item.summary.synth_id.as_str())
            .collect();
        assert_eq!(seen, ["s3", "s1", "s2"]);
        assert_eq!(read.items[1].summary.turn_count, Some(text("three")));
        assert!(read.items[1].said().is_err());
        assert_eq!(read.items[2].said().unwrap(), []);
        assert_eq!(
            executions.total_turns(&["a".to_owned()]).await.unwrap(),
            HashMap::from([("a".to_owned(), 9)])
        );
    }
}
