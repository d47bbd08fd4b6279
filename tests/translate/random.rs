//! Random expressions of SQLite, mostly of a type that fits, and random rows for them.

/// SplitMix64.
pub(crate) struct Random(pub(crate) u64);

const TEXTS: [&str; 28] = [
    "",
    " ",
    "a",
    "A",
    "b",
    "B",
    "ab",
    "AB",
    "aB c",
    "é",
    "É",
    "z",
    "Z",
    "abc  ",
    "abc",
    "5",
    "5.0",
    " 7",
    "-3",
    "1e2",
    "a%b",
    "a_b",
    "it''s",
    "x\\y",
    "😀",
    "line\nfeed",
    "[a]",
    "0123456789abcdef",
];
const NUMBERS: [&str; 22] = [
    "0",
    "1",
    "2",
    "3",
    "-1",
    "7",
    "10",
    "-10",
    "100",
    "255",
    "0x10",
    "2147483647",
    "-2147483648",
    "2147483648",
    "9007199254740992",
    "9007199254740993",
    "-9007199254740993",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "4611686018427387904",
    "1_000",
];
const REALS: [&str; 16] = [
    "0.0",
    "0.5",
    "-0.5",
    "1.0",
    "1.5",
    "2.5",
    "-2.5",
    "0.1",
    "100.25",
    "1e3",
    "1e-3",
    "-7.75",
    "1e22",
    "9007199254740993.0",
    "1e999",
    "-1e999",
];
const PATTERNS: [&str; 24] = [
    "%", "_", "a%", "%B", "a_b", "A\\_b", "%é%", "", "a!%b", "5%", "%''%", "x\\y", "*", "?", "a*", "[a-c]*",
    "[^a-c]*", "[0-9]", "*[^0-9]*", "[]a]*", "[a-]*", "[[]*", "[^]a]?", "*\n*",
];

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n as u64).unwrap_or(0)
    }

    pub(crate) fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    pub(crate) fn text(&mut self) -> String {
        format!("'{}'", self.pick(&TEXTS))
    }

    /// An integer literal; small ones only if `mild`.
    pub(crate) fn integer(&mut self, mild: bool) -> String {
        let most = if mild { 11 } else { NUMBERS.len() };
        self.pick(&NUMBERS[..most]).to_owned()
    }

    pub(crate) fn real(&mut self, mild: bool) -> String {
        let most = if mild { 12 } else { REALS.len() };
        self.pick(&REALS[..most]).to_owned()
    }

    fn blob(&mut self) -> String {
        self.pick(&["x''", "x'00'", "x'00ff'", "X'616263'", "x'ff'"])
            .to_owned()
    }

    /// Sometimes in parentheses: without them the two parsers must group alike.
    fn grouped(&mut self, sql: String) -> String {
        if self.below(3) == 0 {
            sql
        } else {
            format!("({sql})")
        }
    }

    pub(crate) fn condition(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self
                .pick(&[
                    "f",
                    "g",
                    "i",
                    "r",
                    "n",
                    "1",
                    "0",
                    "TRUE",
                    "NULL",
                    "f = 1",
                    "g IN (0, 1)",
                ])
                .to_owned();
        }
        let d = depth - 1;
        let sql = match self.below(18) {
            0 => format!("{} AND {}", self.condition(d), self.condition(d)),
            1 => format!("{} OR {}", self.condition(d), self.condition(d)),
            2 => format!("NOT {}", self.condition(d)),
            3..=7 => {
                let operator = self.pick(&["=", "==", "<>", "!=", "<", "<=", ">", ">=", "IS", "IS NOT"]);
                let (one, other) = self.alike(d);
                format!("{one} {operator} {other}")
            }
            8 => {
                let not = self.pick(&["", "NOT "]);
                let ((one, low), (_, high)) = (self.alike(d), self.alike(d));
                format!("{one} {not}BETWEEN {low} AND {high}")
            }
            9 | 10 => {
                let not = self.pick(&["", "NOT "]);
                let (one, first) = self.alike(d);
                let rest: Vec<String> = (0..self.below(3)).map(|_| self.alike(0).1).collect();
                let list = [vec![first], rest].concat().join(", ");
                format!("{one} {not}IN ({list})")
            }
            11 => format!(
                "{} {}",
                self.any(d),
                self.pick(&["ISNULL", "NOTNULL", "NOT NULL", "IS NULL"])
            ),
            12 => {
                let (not, escape) = (
                    self.pick(&["", "NOT "]),
                    self.pick(&["", "", " ESCAPE '!'", " ESCAPE '\\'", " ESCAPE 'a'"]),
                );
                format!("{} {not}LIKE '{}'{escape}", self.textual(d), self.pick(&PATTERNS))
            }
            13 => {
                let not = self.pick(&["", "NOT "]);
                format!("{} {not}GLOB '{}'", self.textual(d), self.pick(&PATTERNS))
            }
            14 => format!(
                "{} IS {}{}",
                self.condition(d),
                self.pick(&["", "NOT "]),
                self.pick(&["TRUE", "FALSE", "1", "0"])
            ),
            15 => format!(
                "{} COLLATE {} {} {}",
                self.textual(d),
                self.pick(&["NOCASE", "RTRIM", "BINARY"]),
                self.pick(&["=", "<", "IS", ">="]),
                self.textual(d)
            ),
            16 => format!("{} LIKE {}", self.textual(d), self.textual(d)),
            _ => self.any(d),
        };
        self.grouped(sql)
    }

    /// Two expressions of one type, now and then of two.
    fn alike(&mut self, depth: usize) -> (String, String) {
        match self.below(12) {
            0..=3 => (self.number(depth), self.number(depth)),
            4..=7 => (self.textual(depth), self.textual(depth)),
            8 => (self.floating(depth), self.floating(depth)),
            9 => (self.bytes(depth), self.bytes(depth)),
            10 => {
                let day = self.pick(&[
                    "day",
                    "'2024-02-29'",
                    "'2024-01-01'",
                    "'0001-01-01'",
                    "'2024'",
                    "day2",
                ]);
                (self.pick(&["day", "day2"]).to_owned(), day.to_owned())
            }
            _ => (self.any(depth), self.any(depth)),
        }
    }

    pub(crate) fn number(&mut self, depth: usize) -> String {
        if depth == 0 {
            return match self.below(4) {
                0 => self.integer(false),
                1 => self.integer(true),
                _ => self.pick(&["i", "j", "s4", "s2", "f", "I", "\"i\""]).to_owned(),
            };
        }
        let d = depth - 1;
        let sql = match self.below(16) {
            0..=4 => {
                let operator = self.pick(&["+", "-", "*", "/", "%", "&", "|", "+", "-"]);
                format!("{} {operator} {}", self.number(d), self.number(d))
            }
            5 => format!(
                "{} {} {}",
                self.number(d),
                self.pick(&["<<", ">>"]),
                self.pick(&["1", "3", "63", "64"])
            ),
            6 => format!("{}{}", self.pick(&["-", "+", "~", "- "]), self.number(d)),
            7 => format!("length({})", self.textual(d)),
            8 => format!("instr({}, {})", self.textual(d), self.textual(d)),
            9 => format!("abs({})", self.number(d)),
            10 => format!("coalesce({}, {})", self.number(d), self.number(d)),
            11 => format!(
                "{}({}, {})",
                self.pick(&["min", "max", "nullif", "ifnull"]),
                self.number(d),
                self.number(d)
            ),
            12 => format!(
                "CASE WHEN {} THEN {} ELSE {} END",
                self.condition(d),
                self.number(d),
                self.number(d)
            ),
            13 => format!("CAST({} AS INTEGER)", self.any(d)),
            14 => format!(
                "CASE {} WHEN {} THEN {} END",
                self.number(d),
                self.number(d),
                self.number(d)
            ),
            _ => self.condition(d),
        };
        self.grouped(sql)
    }

    fn floating(&mut self, depth: usize) -> String {
        if depth == 0 {
            return match self.below(4) {
                0 => self.real(false),
                1 => self.real(true),
                2 => self.number(0),
                _ => self.pick(&["r", "r", "n", "d", "q"]).to_owned(),
            };
        }
        let d = depth - 1;
        let sql = match self.below(8) {
            0..=3 => {
                let operator = self.pick(&["+", "-", "*", "/"]);
                format!("{} {operator} {}", self.floating(d), self.floating(d))
            }
            4 => format!("{}({})", self.pick(&["abs", "round", "-", "+"]), self.floating(d)),
            5 => format!("coalesce({}, {})", self.floating(d), self.floating(d)),
            6 => format!("CAST({} AS REAL)", self.number(d)),
            _ => format!(
                "{}({}, {})",
                self.pick(&["min", "max", "nullif"]),
                self.floating(d),
                self.floating(d)
            ),
        };
        self.grouped(sql)
    }

    fn textual(&mut self, depth: usize) -> String {
        if depth == 0 {
            return match self.below(4) {
                0 => self.text(),
                1 => self.pick(&["\"no column\"", "'abc'", "nc", "rt"]).to_owned(),
                _ => self.pick(&["t", "u", "nc", "rt", "bare", "dt", "T"]).to_owned(),
            };
        }
        let d = depth - 1;
        let sql = match self.below(14) {
            0 | 1 => format!("{} || {}", self.textual(d), self.textual(d)),
            2 => format!(
                "{}({})",
                self.pick(&["lower", "upper", "trim", "ltrim", "rtrim"]),
                self.textual(d)
            ),
            3 => format!("trim({}, {})", self.textual(d), self.text()),
            4 => format!(
                "substr({}, {})",
                self.textual(d),
                self.pick(&["1", "2", "-1", "-3", "0", "99", "instr(u, 'a') + 1"])
            ),
            5 => format!(
                "substr({}, {}, {})",
                self.textual(d),
                self.pick(&["1", "2", "-2", "0"]),
                self.pick(&["0", "1", "2", "-1", "length(t)"])
            ),
            6 => format!(
                "replace({}, {}, {})",
                self.textual(d),
                self.text(),
                self.textual(d)
            ),
            7 => format!("coalesce({}, {})", self.textual(d), self.textual(d)),
            8 => format!(
                "{}({}, {})",
                self.pick(&["min", "max", "nullif", "ifnull"]),
                self.textual(d),
                self.textual(d)
            ),
            9 => format!(
                "CASE WHEN {} THEN {} ELSE {} END",
                self.condition(d),
                self.textual(d),
                self.textual(d)
            ),
            10 => format!("typeof({})", self.any(d)),
            11 => format!("hex({})", self.bytes(d)),
            12 => format!("CAST({} AS TEXT)", self.any(d)),
            _ => format!(
                "iif({}, {}, {})",
                self.condition(d),
                self.textual(d),
                self.textual(d)
            ),
        };
        self.grouped(sql)
    }

    fn bytes(&mut self, depth: usize) -> String {
        match self.below(if depth == 0 { 3 } else { 5 }) {
            0 => self.blob(),
            1 | 2 => "b".to_owned(),
            3 => format!("substr(b, {}, 1)", self.pick(&["1", "2"])),
            _ => format!("coalesce(b, {})", self.blob()),
        }
    }

    pub(crate) fn any(&mut self, depth: usize) -> String {
        match self.below(8) {
            0 | 1 => self.number(depth),
            2 | 3 => self.textual(depth),
            4 => self.floating(depth),
            5 => self.bytes(depth),
            6 => self.condition(depth),
            _ => self
                .pick(&["day", "doc", "id", "at", "NULL", "json_valid(doc)", "d", "q"])
                .to_owned(),
        }
    }
}
