//! Names in PostgreSQL for what SQLite has named: the same ones, but for those that PostgreSQL cannot hold.

use std::collections::HashSet;

use super::rows::Fingerprint;

/// PostgreSQL cuts longer names without an error, and then two may be one.
pub const NAME_BYTES_MAX: usize = 63;

/// What every table of PostgreSQL has already.
const SYSTEM_COLUMNS: [&str; 6] = ["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"];

/// The names of one namespace: the relations of a schema, the columns or the constraints of a table. Asked for the same names in the same
/// order it gives the same answers.
#[derive(Debug, Clone, Default)]
pub struct Names {
    taken: HashSet<String>,
    /// Names that will be asked for, and are kept for those who do.
    promised: HashSet<String>,
}

impl Names {
    /// A namespace in which these names are taken.
    pub fn with_taken(taken: impl IntoIterator<Item = String>) -> Self {
        Self {
            taken: taken.into_iter().collect(),
            promised: HashSet::new(),
        }
    }

    /// Keeps these names, as far as they fit and are free, for those who ask for them: nobody else gets one that is made up.
    pub fn promise<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) {
        let fitting = names
            .into_iter()
            .filter(|name| !name.is_empty() && name.len() <= NAME_BYTES_MAX && !self.taken.contains(*name));
        self.promised.extend(fitting.map(str::to_owned));
    }

    /// A namespace of columns.
    pub fn of_columns() -> Self {
        Self::with_taken(SYSTEM_COLUMNS.map(str::to_owned))
    }

    /// The name itself if it fits and is free; else one that is made from it: cut with a hash of the whole, or with `_` and a number behind
    /// it.
    pub fn give(&mut self, wanted: &str) -> String {
        self.promised.remove(wanted);
        self.make_up(wanted)
    }

    /// The same for a table. PostgreSQL finds its own `pg_class` before anybody else's, so that names of this kind are not given: statements
    /// that name such a table would speak of the server's.
    pub fn give_table(&mut self, wanted: &str) -> String {
        if wanted.starts_with("pg_") {
            self.taken.insert(wanted.to_owned());
        }
        self.give(wanted)
    }

    /// The same for a name that nobody has given: one that is promised is left to whom it was promised.
    pub fn make_up(&mut self, wanted: &str) -> String {
        let base = if wanted.is_empty() {
            "unnamed".to_owned()
        } else {
            fit(wanted)
        };
        let mut name = base.clone();
        let mut number = 1;
        while self.taken.contains(&name) || self.promised.contains(&name) {
            let suffix = if number == 1 {
                "_".to_owned()
            } else {
                format!("_{number}")
            };
            name = format!("{}{suffix}", cut(&base, NAME_BYTES_MAX - suffix.len()));
            number += 1;
        }
        self.taken.insert(name.clone());
        name
    }
}

fn fit(name: &str) -> String {
    if name.len() <= NAME_BYTES_MAX {
        return name.to_owned();
    }
    let mut hash = Fingerprint::default();
    hash.add_bytes(name.as_bytes());
    let hash = hash.to_string();
    let hash = hash.get(..8).unwrap_or(&hash);
    format!("{}_{hash}", cut(name, NAME_BYTES_MAX - 9))
}

/// At most so many bytes of whole characters.
fn cut(name: &str, bytes: usize) -> &str {
    let mut end = bytes.min(name.len());
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_fits_stays() {
        let mut names = Names::default();
        for name in ["Order Item", "select", "a\"b\n", "é", "E\u{301}", &"x".repeat(63)] {
            assert_eq!(names.give(name), *name);
        }
    }

    #[test]
    fn a_name_that_is_made_up_takes_nobodys_place() {
        let wanted = ["xmin", "", "xmin_", "unnamed", &"é".repeat(40)];
        let mut names = Names::of_columns();
        names.promise(wanted);
        let given = wanted.map(|name| names.give(name));
        assert_eq!(given[..4], ["xmin_2", "unnamed_", "xmin_", "unnamed"]);
        assert!(given[4].starts_with("ééé"));
    }

    #[test]
    fn a_table_is_not_called_like_one_of_the_server() {
        let mut names = Names::default();
        names.promise(["pg_class", "pg_class_", "pga"]);
        let given = ["pg_class", "pg_class_", "pga"].map(|name| names.give_table(name));
        assert_eq!(given, ["pg_class_2", "pg_class__", "pga"]);
    }

    #[test]
    fn a_promised_name_is_not_made_up() {
        let mut names = Names::default();
        names.promise(["t_id_seq"]);
        assert_eq!(names.make_up("t_id_seq"), "t_id_seq_");
        assert_eq!(names.give("t_id_seq"), "t_id_seq");
        assert_eq!(names.make_up("u_id_seq"), "u_id_seq");
    }

    #[test]
    fn names_that_do_not_fit_are_made_apart_and_the_same_each_time() {
        let long = "é".repeat(40);
        let (one, other) = (format!("{long}1"), format!("{long}2"));
        let give = || {
            let mut names = Names::of_columns();
            [
                one.as_str(),
                &other,
                "",
                "",
                "xmin",
                "xmin_",
                "xmin",
                "a",
                "a",
                "a",
            ]
            .map(|name| names.give(name))
        };
        let given = give();
        assert_eq!(given, give());
        assert!(
            given
                .iter()
                .all(|name| name.len() <= NAME_BYTES_MAX && !name.is_empty())
        );
        assert_eq!(given.iter().collect::<HashSet<_>>().len(), given.len());
        assert_eq!(given[4], "xmin_");
        assert_eq!(&given[7..], ["a", "a_", "a_2"]);
        assert!(given[0].starts_with("éé") && given[0] != given[1]);
    }
}
