//! Contract cases of the synths.

use std::cmp::Ordering;
use std::collections::HashMap;

use cutover_domain::json::Json;
use cutover_domain::lab::synth::{SortDirection, Synth, SynthListing, SynthSort, SynthSummary};
use cutover_domain::lab::synth_filter::SynthSearch;
use cutover_domain::lab::synth_group::SynthGroup;
use cutover_ports::{Page, PageRequest};
use cutover_tests::store::TestStore;

use super::{assert_missing, at};

contract!(
    save_then_get,
    save_takes_the_place_of_what_is_there_but_keeps_when_it_was_made,
    a_synth_needs_its_group,
    the_default_listing_is_newest_first,
    every_order_is_total_and_pages_never_overlap,
    a_group_is_listed_alone,
    groups_are_counted_together,
    several_are_fetched_together,
    the_avatar_can_be_set,
    a_deleted_group_lets_its_synths_go,
    a_search_means_what_it_means_in_sqlite,
    a_search_compares_a_column_with_the_text_of_a_number,
    of_a_key_that_stands_twice_a_search_reads_the_last,
    a_search_has_an_order_and_pages,
    no_text_of_a_search_becomes_sql,
);

/// A synth without a group.
pub(super) fn synth(id: &str, seconds: i64) -> Synth {
    Synth {
        summary: SynthSummary {
            id: id.to_owned(),
            synth_group_id: None,
            nome: "João Ávila".to_owned(),
            descricao: None,
            link_photo: None,
            avatar_path: None,
            created_at: at(seconds).into(),
            version: Some("2.3.0".to_owned()),
        },
        data: Some(Json::parse(r#"{"demografia": {"idade": 30, "renda_mensal": 1.50}}"#).unwrap()),
    }
}

fn in_group(synth: Synth, group: &str) -> Synth {
    let summary = SynthSummary {
        synth_group_id: Some(group.to_owned()),
        ..synth.summary
    };
    Synth { summary, ..synth }
}

async fn groups(store: &TestStore, ids: &[&str]) {
    for id in ids {
        let group = SynthGroup {
            id: (*id).to_owned(),
            name: "g".to_owned(),
            description: None,
            created_at: at(0).into(),
        };
        store.lab.synth_groups.insert(&group).await.unwrap();
    }
}

async fn save_then_get(store: &TestStore) {
    groups(store, &["grp_0000000a"]).await;
    let full = Synth {
        summary: SynthSummary {
            descricao: Some(String::new()),
            link_photo: Some("https://example.org/é.png?a=1&b='".to_owned()),
            avatar_path: Some("/home/x/output/synths/avatar/abc123.png".to_owned()),
            ..in_group(synth("abc123", 0), "grp_0000000a").summary
        },
        data: Some(Json::parse(r#"{"é": [1e2, "\ud83d\ude00"], "observables": {}}"#).unwrap()),
    };
    let bare = Synth {
        summary: SynthSummary {
            nome: String::new(),
            version: None,
            ..synth("LONGER id", 1).summary
        },
        data: None,
    };
    for made in [full, bare] {
        store.lab.synths.save(&made).await.unwrap();
        assert_eq!(store.lab.synths.get(&made.summary.id).await.unwrap(), Some(made));
    }
    assert_eq!(store.lab.synths.get("zzzzzz").await.unwrap(), None);
    assert_eq!(store.lab.synths.count().await.unwrap(), 2);
}

async fn save_takes_the_place_of_what_is_there_but_keeps_when_it_was_made(store: &TestStore) {
    groups(store, &["grp_0000000a"]).await;
    let synths = &store.lab.synths;
    let first = in_group(synth("abc123", 0), "grp_0000000a");
    synths.save(&first).await.unwrap();
    synths.save(&synth("abc124", 0)).await.unwrap();
    let second = Synth {
        summary: SynthSummary {
            nome: "Other".to_owned(),
            version: None,
            ..synth("abc123", 99).summary
        },
        data: None,
    };
    synths.save(&second).await.unwrap();
    let stored = Synth {
        summary: SynthSummary {
            created_at: at(0).into(),
            ..second.summary
        },
        ..second
    };
    assert_eq!(synths.get("abc123").await.unwrap(), Some(stored));
    assert_eq!(synths.get("abc124").await.unwrap(), Some(synth("abc124", 0)));
}

async fn a_synth_needs_its_group(store: &TestStore) {
    let synths = &store.lab.synths;
    assert_missing(
        synths.save(&in_group(synth("abc123", 0), "grp_ffffffff")).await,
        "synth_groups",
    );
    assert_eq!(synths.get("abc123").await.unwrap(), None);
    synths.save(&synth("abc123", 0)).await.unwrap();
    assert_missing(
        synths.save(&in_group(synth("abc123", 0), "grp_ffffffff")).await,
        "synth_groups",
    );
    assert_eq!(synths.get("abc123").await.unwrap(), Some(synth("abc123", 0)));
}

async fn the_default_listing_is_newest_first(store: &TestStore) {
    let synths = &store.lab.synths;
    for (id, seconds) in [("c", 5), ("a", 5), ("b", 7), ("d", 1)] {
        synths.save(&synth(id, seconds)).await.unwrap();
    }
    let page = synths
        .list(&SynthListing::default(), PageRequest::first(3))
        .await
        .unwrap();
    let expected = [("b", 7), ("a", 5), ("c", 5)].map(|(id, seconds)| synth(id, seconds).summary);
    assert_eq!(
        page,
        Page {
            items: expected.into(),
            total: 4
        }
    );
    let far = synths
        .list(&SynthListing::default(), PageRequest { limit: 3, offset: 4 })
        .await
        .unwrap();
    assert_eq!(
        far,
        Page {
            items: vec![],
            total: 4
        }
    );
}

/// Synths in which every column has none (where it may), equal values, and values that sort by bytes only.
fn varied() -> Vec<SynthSummary> {
    let texts = [None, Some(""), Some("B"), Some("a"), Some("é"), Some("a")];
    let text = |n: usize| texts[n % texts.len()].map(str::to_owned);
    let groups = [None, Some("grp_0000000b"), Some("grp_0000000a")];
    (0..18)
        .map(|n| SynthSummary {
            id: format!("s{:02}", (n * 7) % 18),
            synth_group_id: groups[n % 3].map(str::to_owned),
            nome: text(n).unwrap_or_default(),
            descricao: text(n + 1),
            link_photo: text(n + 2),
            avatar_path: text(n * 5),
            created_at: at(i64::try_from(n / 3).unwrap()).into(),
            version: text(n * 7 + 3),
        })
        .collect()
}

fn compare(sort: SynthSort, a: &SynthSummary, b: &SynthSummary) -> Ordering {
    match sort {
        SynthSort::Id => a.id.cmp(&b.id),
        SynthSort::SynthGroupId => a.synth_group_id.cmp(&b.synth_group_id),
        SynthSort::Nome => a.nome.cmp(&b.nome),
        SynthSort::Descricao => a.descricao.cmp(&b.descricao),
        SynthSort::LinkPhoto => a.link_photo.cmp(&b.link_photo),
        SynthSort::AvatarPath => a.avatar_path.cmp(&b.avatar_path),
        SynthSort::CreatedAt => a.created_at.known().cmp(&b.created_at.known()),
        SynthSort::Version => a.version.cmp(&b.version),
    }
}

async fn every_order_is_total_and_pages_never_overlap(store: &TestStore) {
    groups(store, &["grp_0000000a", "grp_0000000b"]).await;
    let made = varied();
    for summary in &made {
        store
            .lab
            .synths
            .save(&Synth {
                summary: summary.clone(),
                data: None,
            })
            .await
            .unwrap();
    }
    for &sort in SynthSort::ALL {
        for &direction in SortDirection::ALL {
            for group in [None, Some("grp_0000000a")] {
                let mut expected: Vec<SynthSummary> = made
                    .iter()
                    .filter(|s| group.is_none() || s.synth_group_id.as_deref() == group)
                    .cloned()
                    .collect();
                expected.sort_by(|a, b| {
                    let order = compare(sort, a, b);
                    let order = if direction == SortDirection::Descending {
                        order.reverse()
                    } else {
                        order
                    };
                    order.then_with(|| a.id.cmp(&b.id))
                });
                let listing = SynthListing {
                    synth_group_id: group.map(str::to_owned),
                    sort,
                    direction,
                };
                let mut seen = Vec::new();
                for offset in (0..20).step_by(5) {
                    let page = store
                        .lab
                        .synths
                        .list(&listing, PageRequest { limit: 5, offset })
                        .await
                        .unwrap();
                    assert_eq!(page.total, expected.len() as u64);
                    seen.extend(page.items);
                }
                assert_eq!(seen, expected, "{listing:?}");
            }
        }
    }
}

async fn a_group_is_listed_alone(store: &TestStore) {
    groups(store, &["grp_0000000a", "grp_0000000b"]).await;
    let synths = &store.lab.synths;
    for (id, seconds, group) in [
        ("c", 5, "grp_0000000a"),
        ("a", 5, "grp_0000000a"),
        ("b", 9, "grp_0000000b"),
        ("d", 7, "grp_0000000a"),
    ] {
        synths.save(&in_group(synth(id, seconds), group)).await.unwrap();
    }
    synths.save(&synth("e", 10)).await.unwrap();
    let expected = [("d", 7), ("a", 5), ("c", 5)]
        .map(|(id, seconds)| in_group(synth(id, seconds), "grp_0000000a").summary);
    assert_eq!(synths.list_by_group("grp_0000000a").await.unwrap(), expected);
    assert_eq!(synths.list_by_group("grp_ffffffff").await.unwrap(), []);
}

async fn groups_are_counted_together(store: &TestStore) {
    groups(store, &["grp_0000000a", "grp_0000000b", "grp_0000000c"]).await;
    for (id, group) in [
        ("a", "grp_0000000a"),
        ("b", "grp_0000000a"),
        ("c", "grp_0000000b"),
    ] {
        store
            .lab
            .synths
            .save(&in_group(synth(id, 0), group))
            .await
            .unwrap();
    }
    store.lab.synths.save(&synth("d", 0)).await.unwrap();
    let ids = ["grp_0000000a", "grp_0000000c", "grp_ffffffff", "grp_0000000a"].map(str::to_owned);
    let counts = store.lab.synths.counts_by_group(&ids).await.unwrap();
    assert_eq!(counts, HashMap::from([("grp_0000000a".to_owned(), 2)]));
    assert_eq!(
        store.lab.synths.counts_by_group(&[]).await.unwrap(),
        HashMap::new()
    );
}

async fn several_are_fetched_together(store: &TestStore) {
    let synths = &store.lab.synths;
    for id in ["c", "a", "b"] {
        synths.save(&synth(id, 0)).await.unwrap();
    }
    let ids = ["c", "zz", "a", "c", "') --"].map(str::to_owned);
    assert_eq!(
        synths.get_many(&ids).await.unwrap(),
        [synth("a", 0), synth("c", 0)]
    );
    assert_eq!(synths.get_many(&[]).await.unwrap(), []);
    let name = synth("", 0).summary.nome;
    let expected = HashMap::from([("a".to_owned(), name.clone()), ("c".to_owned(), name)]);
    assert_eq!(synths.names_by_id(&ids).await.unwrap(), expected);
    assert_eq!(synths.names_by_id(&[]).await.unwrap(), HashMap::new());
}

async fn the_avatar_can_be_set(store: &TestStore) {
    let synths = &store.lab.synths;
    synths.save(&synth("abc123", 0)).await.unwrap();
    synths.save(&synth("abc124", 0)).await.unwrap();
    assert!(synths.update_avatar_path("abc123", "output/é.png").await.unwrap());
    assert!(!synths.update_avatar_path("zzzzzz", "x").await.unwrap());
    let before = synth("abc123", 0);
    let summary = SynthSummary {
        avatar_path: Some("output/é.png".to_owned()),
        ..before.summary
    };
    assert_eq!(
        synths.get("abc123").await.unwrap(),
        Some(Synth { summary, ..before })
    );
    assert_eq!(synths.get("abc124").await.unwrap(), Some(synth("abc124", 0)));
}

async fn a_deleted_group_lets_its_synths_go(store: &TestStore) {
    groups(store, &["grp_0000000a", "grp_0000000b"]).await;
    let synths = &store.lab.synths;
    synths
        .save(&in_group(synth("a", 0), "grp_0000000a"))
        .await
        .unwrap();
    synths
        .save(&in_group(synth("b", 0), "grp_0000000b"))
        .await
        .unwrap();
    assert!(store.lab.synth_groups.delete("grp_0000000a").await.unwrap());
    assert_eq!(synths.get("a").await.unwrap(), Some(synth("a", 0)));
    assert_eq!(
        synths.get("b").await.unwrap(),
        Some(in_group(synth("b", 0), "grp_0000000b"))
    );
}

#[cfg(feature = "sqlite")]
mod old_files {
    use cutover_domain::stored::{Stored, StoredValue};

    use super::*;

    /// One row that the original cannot show fails its whole page there; here it is one row among others.
    #[tokio::test]
    async fn rows_that_break_rules_are_read() {
        let store = TestStore::sqlite().await;
        let raw = store.file().unwrap().raw();
        raw.execute_batch(
            "PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF;
            INSERT INTO synths (id, synth_group_id, nome, created_at, version, data) VALUES
                ('much too long', 'grp_gone', 'n', '2026-01-01T12:00:00.250000', NULL, '{\"demografia\": {\"idade\": 300}}'),
                ('b', '', 'n', '2026-01-01T12:00:00.250000+00:00', '2.0.0', '[1'),
                ('c', NULL, 'n', '2025-12-15T10:00:00Z', 3, NULL),
                ('d', NULL, x'4aff', '', '', 'null'),
                (NULL, NULL, 'nobody', 1767268800, '', NULL),
                (NULL, NULL, 'nobody', 12.5, '', NULL);",
        )
        .unwrap();
        let synths = &store.lab.synths;
        let page = synths
            .list(&SynthListing::default(), PageRequest::first(10))
            .await
            .unwrap();
        let mut seen: Vec<&str> = page.items.iter().map(|item| item.id.as_str()).collect();
        seen.sort_unstable();
        assert_eq!(
            (seen, page.total),
            (vec!["", "", "b", "c", "d", "much too long"], 6)
        );
        let long = synths.get("much too long").await.unwrap().unwrap();
        assert_eq!(
            (long.summary.synth_group_id.as_deref(), long.summary.version),
            (Some("grp_gone"), None)
        );
        assert!(
            long.data
                .unwrap()
                .view::<cutover_domain::lab::synth::SynthData>()
                .unwrap()
                .check()
                .is_err()
        );
        assert_eq!(
            synths.get("b").await.unwrap().unwrap().data.unwrap().as_str(),
            "[1"
        );
        let odd = synths.get("d").await.unwrap().unwrap();
        assert_eq!(
            odd.summary.created_at,
            Stored::Other(StoredValue::Text(String::new()))
        );
        assert_eq!(odd.summary.nome, "J\u{fffd}");
        let group = synths.list_by_group("grp_gone").await.unwrap();
        assert_eq!(
            group.iter().map(|item| item.id.as_str()).collect::<Vec<_>>(),
            ["much too long"]
        );
        assert!(synths.update_avatar_path("d", "x").await.unwrap());
    }
}

/// Synths for searches: a number, a text, a truth and nothing under `a`.
async fn searched(store: &TestStore) {
    for (seconds, id, nome, data) in [
        (1, "num", "Ana", Some(r#"{"a": 1e1, "é x": {"b": "x"}}"#)),
        (2, "real", "ANA", Some(r#"{"a": 9.5}"#)),
        (3, "text", "É", Some(r#"{"a": "10"}"#)),
        (4, "true", "é", Some(r#"{"a": true}"#)),
        (5, "null", "10", Some(r#"{"a": null}"#)),
        (6, "list", "100%", Some(r#"{"a": [1]}"#)),
        (7, "none", "O'Brien", None),
        (8, "huge", "z", Some(r#"{"a": 1e400}"#)),
    ] {
        let mut synth = synth(id, seconds);
        nome.clone_into(&mut synth.summary.nome);
        synth.data = data.map(|data| Json::parse(data).unwrap());
        store.lab.synths.save(&synth).await.unwrap();
    }
}

/// The ids of the synths that a condition lets through, oldest first.
async fn found(store: &TestStore, condition: &str) -> String {
    let search = SynthSearch::where_clause(condition).unwrap_or_else(|error| panic!("{condition}: {error}"));
    let page = store
        .lab
        .synths
        .search(&search, PageRequest::first(50))
        .await
        .unwrap();
    assert_eq!(page.total, page.items.len() as u64);
    let ids: Vec<String> = page.items.into_iter().rev().map(|synth| synth.id).collect();
    ids.join(" ")
}

async fn a_search_means_what_it_means_in_sqlite(store: &TestStore) {
    searched(store).await;
    for (condition, ids) in [
        ("nome = 'Ana'", "num"),
        ("1=1 AND \"Ana\" = nome", "num"),
        ("nome IN () OR NOT 'a' < 'b'", ""),
        ("nome NOT IN () AND 1", "num real text true null list none huge"),
        ("nome LIKE 'an%'", "num real"),
        ("nome LIKE 'é'", "true"),
        ("nome LIKE '_'", "text true huge"),
        ("nome NOT LIKE '%a%'", "text true null list none huge"),
        ("nome LIKE '%!%' ESCAPE '!'", "list"),
        ("nome LIKE '%!%%' ESCAPE '!'", "list"),
        ("nome = 'O''Brien'", "none"),
        ("nome = 10", "null"),
        ("nome < 'B'", "num real null list"),
        ("nome IS 10", "null"),
        ("nome IS NOT 'Ana'", "real text true null list none huge"),
        ("descricao IS 'x' OR NOT descricao IS NOT 'x'", ""),
        (
            "descricao ISNULL AND nome NOTNULL",
            "num real text true null list none huge",
        ),
        ("nome = NULL OR NOT nome = NULL", ""),
        ("nome IN ('z', NULL)", "huge"),
        ("nome NOT IN ('z', NULL)", ""),
        ("data IS NULL", "none"),
        ("synths.data IS NOT NULL AND [nome] > 'a'", "text true huge"),
        ("descricao IS NULL AND NOT version IS NOT NULL", ""),
        ("json_extract(data, '$.a') = 10", "num"),
        ("json_extract(data, '$.a') = '10'", "text"),
        ("json_extract(data, '$.a') = TRUE", "true"),
        ("json_extract(data, '$.a') > 9", "num real text huge"),
        ("json_extract(data, '$.a') < '0'", "num real true huge"),
        ("json_extract(data, '$.a') <> 10", "real text true huge"),
        ("NOT json_extract(data, '$.a') = 10", "real text true huge"),
        ("json_extract(data, '$.a') IS NULL", "null none"),
        (
            "json_extract(data, '$.a') IS NOT NULL",
            "num real text true list huge",
        ),
        ("json_extract(data, '$.a') LIKE '1%'", "text"),
        ("data->>'$.\"é x\".b' = 'x'", "num"),
        (
            "json_extract(data, '$.a') BETWEEN 1 AND 9.5 OR id IN ('none', 'list')",
            "real true list none",
        ),
        (
            "json_extract(data, '$.a.b.c') IS NULL AND id NOT IN ('num', 'real', 'text')",
            "true null list none huge",
        ),
    ] {
        assert_eq!(found(store, condition).await, ids, "{condition}");
    }
}

async fn a_search_compares_a_column_with_the_text_of_a_number(store: &TestStore) {
    let numbers = [
        ("1.50", "1.5"),
        (".5", "0.5"),
        ("5.", "5.0"),
        ("1e2", "100.0"),
        ("007", "7"),
        ("1e20", "1.0e+20"),
        ("-0", "0"),
        ("9223372036854775808", "9.22337203685478e+18"),
    ];
    for (index, (_, nome)) in numbers.into_iter().enumerate() {
        let mut synth = synth(&index.to_string(), 0);
        nome.clone_into(&mut synth.summary.nome);
        store.lab.synths.save(&synth).await.unwrap();
    }
    for (index, (number, _)) in numbers.into_iter().enumerate() {
        let condition = format!("nome = {number}");
        assert_eq!(found(store, &condition).await, index.to_string(), "{condition}");
    }
}

async fn of_a_key_that_stands_twice_a_search_reads_the_last(store: &TestStore) {
    for (seconds, id, data) in [
        (
            1,
            "up",
            r#"{"a": 1, "b": {"c": "x"}, "a": 30, "b": {"c": "old", "c": "new"}}"#,
        ),
        (
            2,
            "down",
            r#"{"a": 40, "\u0061": 2, "b": {"c": "new"}, "b": {"d": 1}}"#,
        ),
        (
            3,
            "gone",
            r#"{"a": 50, "a": null, "b": {"c": "new"}, "b": {"c": 7}}"#,
        ),
        (4, "once", r#"{"a": 10, "b": {"c": "n\u0065w"}}"#),
    ] {
        let mut synth = synth(id, seconds);
        synth.data = Some(Json::parse(data).unwrap());
        store.lab.synths.save(&synth).await.unwrap();
    }
    for (condition, ids) in [
        ("json_extract(data, '$.a') > 5", "up once"),
        ("json_extract(data, '$.a') = 2", "down"),
        ("json_extract(data, '$.a') IS NULL", "gone"),
        ("json_extract(data, '$.b.c') = 'new'", "up once"),
        ("json_extract(data, '$.b.c') LIKE 'N%'", "up once"),
        ("json_extract(data, '$.b.c') IS NULL", "down"),
        ("json_extract(data, '$.b.c') = 7", "gone"),
    ] {
        assert_eq!(found(store, condition).await, ids, "{condition}");
    }
    let query = "SELECT id FROM synths ORDER BY json_extract(data, '$.a') DESC";
    let search = SynthSearch::query(query).unwrap();
    let page = store.lab.synths.search(&search, PageRequest::first(50)).await;
    let ids: Vec<String> = page.unwrap().items.into_iter().map(|synth| synth.id).collect();
    assert_eq!(ids, ["up", "once", "down", "gone"]);
}

async fn a_search_has_an_order_and_pages(store: &TestStore) {
    searched(store).await;
    for (query, ids) in [
        ("SELECT * FROM synths", "huge none list null true text real num"),
        (
            "SELECT * FROM synths ORDER BY nome",
            "null list real num none huge text true",
        ),
        (
            "SELECT * FROM synths ORDER BY json_extract(data, '$.a')",
            "none list null true real num huge text",
        ),
        (
            "SELECT * FROM synths ORDER BY json_extract(data, '$.a') DESC, id",
            "text huge num real true list none null",
        ),
        (
            "SELECT id FROM synths WHERE id > 'n' ORDER BY created_at",
            "num real text true null none",
        ),
    ] {
        let search = SynthSearch::query(query).unwrap();
        let mut paged = Vec::new();
        for offset in (0..10).step_by(2) {
            let page = PageRequest { limit: 2, offset };
            let page = store.lab.synths.search(&search, page).await.unwrap();
            paged.extend(page.items.into_iter().map(|synth| synth.id));
        }
        assert_eq!(paged.join(" "), ids, "{query}");
    }
}

async fn no_text_of_a_search_becomes_sql(store: &TestStore) {
    searched(store).await;
    for text in [
        "'; DROP TABLE synths; --",
        "' OR 1=1 --",
        "$1",
        "?1",
        "\\",
        "%",
        "\"",
        "é\n",
    ] {
        let quoted = text.replace('\'', "''");
        for condition in [
            format!("nome = '{quoted}'"),
            format!("json_extract(data, '$.a') = '{quoted}'"),
            format!("nome LIKE 'q{quoted}'"),
        ] {
            assert_eq!(found(store, &condition).await, "", "{condition}");
        }
        if SynthSearch::where_clause(&format!("json_extract(data, '$.{quoted}') = 1")).is_ok() {
            found(store, &format!("json_extract(data, '$.{quoted}') = 1")).await;
        }
    }
    assert_eq!(store.lab.synths.count().await.unwrap(), 8);
}
