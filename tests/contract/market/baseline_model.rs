//! Contract cases of the models that predictions are compared with.

use cutover_domain::market::baseline_model::BaselineModelFields;
use cutover_tests::store::TestStore;

use super::{TEXT, at};

contract!(save_then_get, saving_again_replaces, models_are_listed_by_name);

async fn save_then_get(store: &TestStore) {
    let models = &store.market.baseline_models;
    assert_eq!(models.get("gap").await.unwrap(), None);
    let fields = BaselineModelFields {
        description: Some(TEXT.to_owned()),
        parameters: Some("{\"b\": 1.0, \"a\": [1e5]}".to_owned()),
        is_active: Some(true.into()),
    };
    let saved = models.save("gap", &fields, at(0)).await.unwrap();
    assert_eq!((saved.name.as_str(), &saved.fields), ("gap", &fields));
    assert_eq!(
        (&saved.created_at, &saved.updated_at),
        (&Some(at(0).into()), &None)
    );
    assert_eq!(models.get("gap").await.unwrap(), Some(saved));
    assert_eq!(models.get("GAP").await.unwrap(), None);
}

async fn saving_again_replaces(store: &TestStore) {
    let models = &store.market.baseline_models;
    let fields = BaselineModelFields::default();
    let first = models.save("gap", &fields, at(0)).await.unwrap();
    assert_eq!(
        models.save("gap", &fields, at(5)).await.unwrap(),
        first,
        "no change"
    );
    let changed = BaselineModelFields {
        is_active: Some(false.into()),
        ..fields
    };
    let second = models.save("gap", &changed, at(7)).await.unwrap();
    assert_eq!((second.id, &second.fields), (first.id, &changed));
    assert_eq!(
        (second.created_at, second.updated_at),
        (first.created_at, Some(at(7).into()))
    );
}

async fn models_are_listed_by_name(store: &TestStore) {
    let models = &store.market.baseline_models;
    for name in ["b", "a", "B", "é"] {
        models
            .save(name, &BaselineModelFields::default(), at(0))
            .await
            .unwrap();
    }
    let listed = models.list().await.unwrap();
    let names: Vec<&str> = listed.iter().map(|model| model.name.as_str()).collect();
    assert_eq!(names, ["B", "a", "b", "é"]);
}
