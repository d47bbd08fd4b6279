//! Calls on the writer's repositories.

use cutover_domain::stored::{Stored, StoredValue};
use cutover_domain::time::Timestamp;
use cutover_domain::writer::conversation::{Conversation, Message, Role};
use cutover_domain::writer::file::FileMetadata;
use cutover_ports::writer::WriterRepositories;

use super::{Errors, Pair};
use crate::random::Random;

/// Both answers to a call.
macro_rules! both {
    ($pair:ident, $repository:ident . $method:ident ($($argument:expr),*), $errors:ident) => {{
        let (sqlite, postgres): (WriterRepositories, WriterRepositories) = $pair.writer.clone();
        let sqlite = sqlite.$repository.$method($($argument),*).await;
        let postgres = postgres.$repository.$method($($argument),*).await;
        let call = concat!(stringify!($repository), ".", stringify!($method));
        let call = format!("{call}{:?}", ($(&$argument,)*));
        $pair.compare(&call, &sqlite, &postgres, Errors::$errors);
    }};
}

fn time(random: &mut Random) -> Option<Stored<Timestamp>> {
    random.opt(|random| random.time().into())
}

fn message(random: &mut Random) -> Message {
    Message {
        id: random.id("msg_"),
        role: match random.below(5) {
            0 => Stored::Other(StoredValue::Text(random.text())),
            1 => Role::System.into(),
            2 => Role::Assistant.into(),
            _ => Role::User.into(),
        },
        content: random.text(),
        created_at: time(random),
        attachments: Stored::Known(random.some(3, Random::text)),
    }
}

fn conversation(random: &mut Random) -> Conversation {
    Conversation {
        id: random.id("con_"),
        title: random.text(),
        created_at: time(random),
        updated_at: time(random),
        messages: random.some(3, message),
    }
}

fn file(random: &mut Random) -> FileMetadata {
    FileMetadata {
        id: random.id("fil_"),
        filename: random.text(),
        content_type: random.text(),
        size: random.integer().into(),
        created_at: time(random),
    }
}

/// One call, whichever.
pub(crate) async fn any(pair: &mut Pair) {
    let random = &mut pair.random;
    let id = random.id("con_");
    match random.below(11) {
        // Which of several taken keys is named is left open.
        0 | 1 => {
            let made = conversation(random);
            both!(pair, conversations.insert(&made), Variant);
        }
        2 => both!(pair, conversations.get(&id), Alike),
        3 => {
            let limit = 1 + random.below(4);
            list(pair, limit).await;
        }
        4 => {
            let (title, at) = (random.opt_text(), random.time());
            both!(pair, conversations.update_title(&id, title.clone(), at), Alike);
        }
        5 => {
            let changed = conversation(random);
            both!(pair, conversations.update(&changed), Alike);
        }
        // A taken id and a missing conversation may meet in one call.
        6 | 7 => {
            let message = message(random);
            both!(pair, conversations.append(&id, &message), Any);
        }
        8 => both!(pair, conversations.delete(&id), Alike),
        9 => {
            let file = file(random);
            both!(pair, files.insert(&file), Alike);
        }
        _ => {
            let (id, limit) = (random.id("fil_"), random.below(4));
            match random.below(4) {
                0 => both!(pair, files.get(&id), Alike),
                1 => {
                    let place = id
                        .bytes()
                        .fold(String::new(), |place, byte| format!("{place}{byte:02X}"));
                    both!(pair, files.list(Some(place.clone()), limit), Alike);
                }
                2 => {
                    let ids = random.some(4, |random| random.id("fil_"));
                    both!(pair, files.known(&ids), Alike);
                }
                _ => both!(pair, files.delete(&id), Alike),
            }
        }
    }
}

/// Everything that is stored, at the end.
pub(crate) async fn read_all(pair: &mut Pair) {
    let ids = list(pair, u32::MAX).await;
    both!(pair, files.list(None::<String>, u32::MAX), Alike);
    for id in ids {
        both!(pair, conversations.get(&id), Alike);
    }
}

/// The whole list, so many at a time; the ids in it. Places are each store's own.
async fn list(pair: &mut Pair, limit: u32) -> Vec<String> {
    let (sqlite, postgres) = pair.writer.clone();
    let (mut ids, mut here, mut there) = (Vec::new(), None, None);
    loop {
        let sqlite = sqlite.conversations.list(here.take(), limit).await;
        let postgres = postgres.conversations.list(there.take(), limit).await;
        let [sqlite, postgres] = [(sqlite, &mut here), (postgres, &mut there)].map(|(answer, next)| {
            answer.map(|page| {
                *next = page.next;
                page.items
            })
        });
        pair.compare("conversations.list", &sqlite, &postgres, Errors::Alike);
        ids.extend(sqlite.into_iter().flatten().map(|item| item.id));
        if here.is_none() {
            return ids;
        }
    }
}
