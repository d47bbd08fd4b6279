//! SQLite keeps expressions as they were written. Here two that were written differently become one text if they mean
//! the same: blanks, case, quotes, needless parentheses, and the order of alternatives do not count.

/// A piece of SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    kind: Kind,
    /// A name without its quotes, everything else as it was written.
    pub(crate) text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A keyword or a name without quotes.
    Word,
    /// A name in quotes.
    Quoted,
    /// Text, a number, an operator.
    Other,
}

impl Token {
    /// Whether it is this keyword or sign.
    pub(crate) fn is(&self, text: &str) -> bool {
        self.kind != Kind::Quoted && self.text.eq_ignore_ascii_case(text)
    }

    /// Whether it is this name.
    pub(crate) fn names(&self, name: &str) -> bool {
        self.kind != Kind::Other && self.text.eq_ignore_ascii_case(name)
    }

    fn spelled(&self) -> String {
        match self.kind {
            Kind::Other => self.text.clone(),
            Kind::Word | Kind::Quoted => self.text.to_lowercase(),
        }
    }
}

/// Cuts SQL into tokens; comments and blanks fall out.
pub(crate) fn tokens(sql: &str) -> Vec<Token> {
    let mut rest = sql;
    let mut tokens = Vec::new();
    while let Some(first) = rest.chars().next() {
        let (length, kind) = match first {
            _ if first.is_whitespace() => {
                rest = &rest[first.len_utf8()..];
                continue;
            }
            '-' if rest.starts_with("--") => {
                rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
                continue;
            }
            '/' if rest.starts_with("/*") => {
                rest = &rest[rest.find("*/").map_or(rest.len(), |end| end + 2)..];
                continue;
            }
            '\'' => (quoted_length(rest, '\''), Kind::Other),
            '"' | '`' => (quoted_length(rest, first), Kind::Quoted),
            '[' => (rest.find(']').map_or(rest.len(), |end| end + 1), Kind::Quoted),
            _ if is_word(first) => {
                let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                let number = first.is_ascii_digit();
                (length, if number { Kind::Other } else { Kind::Word })
            }
            _ => (operator_length(rest), Kind::Other),
        };
        let (token, after) = rest.split_at(length);
        let text = match first {
            '"' | '`' if length > 1 => {
                token[1..length - 1].replace(&format!("{first}{first}"), &first.to_string())
            }
            '[' if length > 1 => token[1..length - 1].to_owned(),
            _ => token.to_owned(),
        };
        tokens.push(Token { kind, text });
        rest = after;
    }
    tokens
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$' || c == '.'
}

/// How long a text or name in quotes is; a doubled quote is part of it.
fn quoted_length(sql: &str, quote: char) -> usize {
    let mut characters = sql.char_indices().skip(1).peekable();
    while let Some((at, c)) = characters.next() {
        if c == quote && characters.next_if(|(_, next)| *next == quote).is_none() {
            return at + 1;
        }
    }
    sql.len()
}

fn operator_length(sql: &str) -> usize {
    let two = ["||", "<=", ">=", "<>", "!=", "==", "<<", ">>", "->"];
    if sql.starts_with("->>") {
        3
    } else if two.iter().any(|operator| sql.starts_with(operator)) {
        2
    } else {
        sql.chars().next().map_or(0, char::len_utf8)
    }
}

/// Where the parenthesis that opens at `open` closes, or the end.
pub(crate) fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        if token.is("(") {
            depth += 1;
        } else if token.is(")") {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return at;
            }
        }
    }
    tokens.len().saturating_sub(1)
}

/// Cuts at a separator that stands outside of parentheses. The AND of a BETWEEN separates nothing.
pub(crate) fn split<'a>(tokens: &'a [Token], separator: &str) -> Vec<&'a [Token]> {
    let (mut parts, mut start, mut depth, mut betweens) = (Vec::new(), 0, 0_usize, 0_usize);
    for (at, token) in tokens.iter().enumerate() {
        if token.is("(") || token.is("case") {
            depth += 1;
        } else if token.is(")") || token.is("end") {
            depth = depth.saturating_sub(1);
        } else if depth == 0 && token.is("between") {
            betweens += 1;
        } else if depth == 0 && betweens > 0 && token.is("and") {
            betweens -= 1;
        } else if depth == 0 && token.is(separator) {
            parts.push(&tokens[start..at]);
            start = at + 1;
        }
    }
    parts.push(&tokens[start..]);
    parts
}

/// The tokens as they are, in one spelling.
pub(crate) fn spelled(tokens: &[Token]) -> String {
    tokens.iter().map(Token::spelled).collect::<Vec<_>>().join(" ")
}

/// The normal form of an expression.
pub(crate) fn normal(sql: &str) -> String {
    normal_tokens(&tokens(sql))
}

/// The normal form of an expression in tokens.
pub(crate) fn normal_tokens(tokens: &[Token]) -> String {
    if tokens.first().is_some_and(|token| token.is("("))
        && closing(tokens, 0) == tokens.len() - 1
        && tokens.len() > 1
    {
        return normal_tokens(&tokens[1..tokens.len() - 1]);
    }
    for separator in ["or", "and"] {
        let parts = split(tokens, separator);
        if parts.len() > 1 {
            // A part of the same kind in parentheses joins its siblings; what binds looser gets parentheses back.
            let mut parts: Vec<String> = parts
                .into_iter()
                .flat_map(|part| alternatives(part, separator))
                .collect();
            parts.sort();
            parts.dedup();
            return parts.join(&format!(" {separator} "));
        }
    }
    if let Some(range) = between(tokens) {
        return range;
    }
    in_list(tokens).unwrap_or_else(|| spelled(&equality(tokens)))
}

fn alternatives(tokens: &[Token], separator: &str) -> Vec<String> {
    let mut inner = tokens;
    while inner.len() > 1 && inner[0].is("(") && closing(inner, 0) == inner.len() - 1 {
        inner = &inner[1..inner.len() - 1];
    }
    let parts = split(inner, separator);
    if parts.len() > 1 && (separator == "or" || split(inner, "or").len() == 1) {
        return parts
            .into_iter()
            .flat_map(|part| alternatives(part, separator))
            .collect();
    }
    if separator == "and" && split(inner, "or").len() > 1 {
        return vec![format!("( {} )", normal_tokens(inner))];
    }
    vec![normal_tokens(inner)]
}

/// `x BETWEEN a AND b` is `x >= a AND x <= b`.
fn between(tokens: &[Token]) -> Option<String> {
    let at = tokens.iter().position(|token| token.is("between"))?;
    let and = at + tokens[at..].iter().position(|token| token.is("and"))?;
    if at == 0 || tokens[at - 1].is("not") {
        return None;
    }
    let value = spelled(&tokens[..at]);
    let (low, high) = (spelled(&tokens[at + 1..and]), spelled(&tokens[and + 1..]));
    let mut parts = [format!("{value} >= {low}"), format!("{value} <= {high}")];
    parts.sort();
    Some(parts.join(" and "))
}

/// The members of `x IN (…)` have no order.
fn in_list(tokens: &[Token]) -> Option<String> {
    let at = tokens.iter().position(|token| token.is("in"))?;
    let open = at + 1;
    if !tokens.get(open)?.is("(") || closing(tokens, open) != tokens.len() - 1 {
        return None;
    }
    let members = tokens.get(open + 1..tokens.len() - 1)?;
    let mut members: Vec<String> = split(members, ",").into_iter().map(spelled).collect();
    members.sort();
    members.dedup();
    Some(format!(
        "{} in ( {} )",
        spelled(&tokens[..at]),
        members.join(" , ")
    ))
}

/// `==` is `=`, `!=` is `<>`.
fn equality(tokens: &[Token]) -> Vec<Token> {
    let mut tokens = tokens.to_vec();
    for token in &mut tokens {
        match token.text.as_str() {
            "==" => "=".clone_into(&mut token.text),
            "!=" => "<>".clone_into(&mut token.text),
            _ => {}
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn same(a: &str, b: &str) {
        assert_eq!(normal(a), normal(b));
    }

    #[track_caller]
    fn different(a: &str, b: &str) {
        assert_ne!(normal(a), normal(b));
    }

    #[test]
    fn spelling_does_not_count() {
        same(
            "json_valid(data) OR data IS NULL",
            "(data IS NULL)\n  or JSON_VALID( \"data\" ) -- why",
        );
        same("status IN ('a', 'b')", "STATUS in ('b','a')");
        same("length(name)<=100", "((LENGTH([name]) <= 100))");
        same(
            "x IS NULL OR (x >= 0 AND x <= 1)",
            "x BETWEEN 0 AND 1 OR x IS NULL",
        );
        same("a AND (b AND c)", "c AND b AND a");
        same("a = 1", "a == 1");
        same("(datetime('now'))", "datetime('now')");
    }

    #[test]
    fn meaning_does() {
        different("length(name) <= 100", "length(name) <= 200");
        different("status IN ('a', 'b')", "status IN ('a', 'B')");
        different("status IN ('a', 'b')", "status NOT IN ('a', 'b')");
        different("a AND (b OR c)", "(a AND b) OR c");
        different("'OR'", "'or'");
        different("x BETWEEN 0 AND 1", "x NOT BETWEEN 0 AND 1");
        different("x IS NULL OR json_valid(x)", "json_valid(x)");
        different("'it''s'", "'it' 's'");
    }

    #[test]
    fn broken_text_ends_too() {
        for text in [
            "'",
            "\"",
            "[",
            "(",
            ")",
            "((a)",
            "a in (",
            "between",
            "x between 1",
            "/*",
            "--",
            "é",
            "",
        ] {
            let _ = normal(text);
        }
    }
}
