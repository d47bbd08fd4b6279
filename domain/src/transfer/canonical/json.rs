//! JSON documents as `jsonb` keeps them: keys in an order of their own, the last of equal ones, strings without escapes,
//! numbers by value and scale.
//!
//! Reading and writing use stacks of their own instead of recursion, so that the depth of a document is bounded by its length
//! only.

use super::number;

/// Reads documents; keeps its buffers between them.
#[derive(Debug, Default)]
pub(super) struct JsonReader {
    /// Strings that were written with escapes, without them.
    unescaped: Vec<u8>,
    /// The parts of closed arrays and objects, those of one together.
    parts: Vec<Part>,
    /// The parts of open ones, outermost first.
    pending: Vec<Part>,
    open: Vec<Open>,
    todo: Vec<Todo>,
}

/// A string: in the document itself, or among the unescaped ones.
#[derive(Debug, Clone, Copy, Default)]
struct Text {
    start: usize,
    end: usize,
    unescaped: bool,
}

#[derive(Debug, Clone, Copy)]
enum Value {
    Word(u8),
    Number { start: usize, end: usize },
    String(Text),
    Array { first: usize, count: usize },
    Object { first: usize, count: usize },
}

#[derive(Debug, Clone, Copy)]
struct Part {
    /// Empty in an array.
    key: Text,
    value: Value,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    object: bool,
    first: usize,
    key: Text,
}

/// Parts that are still to be written.
#[derive(Debug, Clone, Copy)]
struct Todo {
    next: usize,
    end: usize,
    object: bool,
}

impl JsonReader {
    /// Appends the canonical form of a document; none if `text` is no JSON.
    pub(super) fn write_canonical(&mut self, text: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let value = self.read(text)?;
        self.write(text, value, out)
    }

    fn read(&mut self, text: &[u8]) -> Option<Value> {
        self.unescaped.clear();
        self.parts.clear();
        self.pending.clear();
        self.open.clear();
        let mut at = blanks(text, 0);
        loop {
            let (mut value, next) = match text.get(at)? {
                opening @ (b'{' | b'[') => {
                    let object = *opening == b'{';
                    let first = self.pending.len();
                    self.open.push(Open {
                        object,
                        first,
                        key: Text::default(),
                    });
                    at = blanks(text, at + 1);
                    if text.get(at) != Some(if object { &b'}' } else { &b']' }) {
                        at = self.key(text, at)?;
                        continue;
                    }
                    (self.close(text)?, at + 1)
                }
                b'"' => {
                    let (string, next) = self.string(text, at)?;
                    (Value::String(string), next)
                }
                b't' => word(text, at, b"true")?,
                b'f' => word(text, at, b"false")?,
                b'n' => word(text, at, b"null")?,
                _ => scan_number(text, at)?,
            };
            at = blanks(text, next);
            // What the value ends: nothing, or any number of arrays and objects around it.
            loop {
                let Some(open) = self.open.last().copied() else {
                    return (at == text.len()).then_some(value);
                };
                self.pending.push(Part { key: open.key, value });
                match (text.get(at)?, open.object) {
                    (b',', _) => {
                        at = blanks(text, at + 1);
                        at = self.key(text, at)?;
                        break;
                    }
                    (b'}', true) | (b']', false) => {
                        value = self.close(text)?;
                        at = blanks(text, at + 1);
                    }
                    _ => return None,
                }
            }
        }
    }

    /// In an object the key and its colon; in an array nothing. Where the value begins.
    fn key(&mut self, text: &[u8], at: usize) -> Option<usize> {
        if !self.open.last()?.object {
            return Some(at);
        }
        if text.get(at) != Some(&b'"') {
            return None;
        }
        let (key, next) = self.string(text, at)?;
        self.open.last_mut()?.key = key;
        let at = blanks(text, next);
        (text.get(at) == Some(&b':')).then(|| blanks(text, at + 1))
    }

    /// Ends the innermost array or object.
    fn close(&mut self, text: &[u8]) -> Option<Value> {
        let open = self.open.pop()?;
        let first = self.parts.len();
        let unescaped = &self.unescaped;
        let bytes = |part: &Part| bytes_of(text, unescaped, part.key);
        if open.object {
            let members = self.pending.get_mut(open.first..)?;
            // Stable: equal keys stay in their order, and the last one counts.
            members.sort_by(|one, other| bytes(one).cmp(bytes(other)));
            for part in members.iter() {
                let again = self.parts.len() > first
                    && self.parts.last().is_some_and(|last| bytes(last) == bytes(part));
                if again {
                    self.parts.pop();
                }
                self.parts.push(*part);
            }
        } else {
            self.parts.extend_from_slice(self.pending.get(open.first..)?);
        }
        self.pending.truncate(open.first);
        let count = self.parts.len() - first;
        Some(if open.object {
            Value::Object { first, count }
        } else {
            Value::Array { first, count }
        })
    }

    /// The string whose opening quote is at `at`, and where it ends.
    fn string(&mut self, text: &[u8], at: usize) -> Option<(Text, usize)> {
        let start = at + 1;
        let mut at = start;
        loop {
            match text.get(at)? {
                b'"' => {
                    return Some((
                        Text {
                            start,
                            end: at,
                            unescaped: false,
                        },
                        at + 1,
                    ));
                }
                b'\\' => break,
                ..0x20 => return None,
                _ => at += 1,
            }
        }
        let kept = self.unescaped.len();
        self.unescaped.extend_from_slice(text.get(start..at)?);
        loop {
            match text.get(at)? {
                b'"' => {
                    let end = self.unescaped.len();
                    return Some((
                        Text {
                            start: kept,
                            end,
                            unescaped: true,
                        },
                        at + 1,
                    ));
                }
                b'\\' => at = self.escape(text, at + 1)?,
                ..0x20 => return None,
                byte => {
                    self.unescaped.push(*byte);
                    at += 1;
                }
            }
        }
    }

    /// What follows a backslash, and where it ends.
    fn escape(&mut self, text: &[u8], at: usize) -> Option<usize> {
        let byte = match text.get(at)? {
            same @ (b'"' | b'\\' | b'/') => *same,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => return self.unicode(text, at + 1),
            _ => return None,
        };
        self.unescaped.push(byte);
        Some(at + 1)
    }

    /// The four digits of a `\u`, and the second half of a pair if there is one. A half that stands alone is written in the
    /// three bytes that UTF-8 would give it if it could, which no valid text has.
    fn unicode(&mut self, text: &[u8], at: usize) -> Option<usize> {
        let first = hex4(text, at)?;
        let mut end = at + 4;
        let mut code = first;
        if (0xd800..0xdc00).contains(&first)
            && text.get(end..end + 2) == Some(b"\\u")
            && let Some(second @ 0xdc00..0xe000) = hex4(text, end + 2)
        {
            code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
            end += 6;
        }
        if let Some(character) = char::from_u32(code) {
            self.unescaped
                .extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        } else {
            let six = |shift: u32| u8::try_from(code >> shift & 0x3f).map(|bits| 0x80 | bits);
            self.unescaped
                .extend_from_slice(&[0xed, six(6).ok()?, six(0).ok()?]);
        }
        Some(end)
    }

    fn write(&mut self, text: &[u8], value: Value, out: &mut Vec<u8>) -> Option<()> {
        self.todo.clear();
        self.write_one(text, value, out)?;
        while let Some(todo) = self.todo.last_mut() {
            if todo.next == todo.end {
                self.todo.pop();
                continue;
            }
            let part = *self.parts.get(todo.next)?;
            let object = todo.object;
            todo.next += 1;
            if object {
                write_bytes(bytes_of(text, &self.unescaped, part.key), out);
            }
            self.write_one(text, part.value, out)?;
        }
        Some(())
    }

    fn write_one(&mut self, text: &[u8], value: Value, out: &mut Vec<u8>) -> Option<()> {
        match value {
            Value::Word(letter) => out.push(letter),
            Value::Number { start, end } => {
                out.push(b'1');
                number::write_with_scale(text.get(start..end)?, out)?;
            }
            Value::String(string) => {
                out.push(b'"');
                write_bytes(bytes_of(text, &self.unescaped, string), out);
            }
            Value::Array { first, count } | Value::Object { first, count } => {
                let object = matches!(value, Value::Object { .. });
                out.push(if object { b'{' } else { b'[' });
                super::put_length(out, count);
                self.todo.push(Todo {
                    next: first,
                    end: first + count,
                    object,
                });
            }
        }
        Some(())
    }
}

fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    super::put_length(out, bytes.len());
    out.extend_from_slice(bytes);
}

fn bytes_of<'a>(text: &'a [u8], unescaped: &'a [u8], string: Text) -> &'a [u8] {
    let from = if string.unescaped { unescaped } else { text };
    from.get(string.start..string.end).unwrap_or_default()
}

fn blanks(text: &[u8], from: usize) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    from + rest
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
        .count()
}

fn word(text: &[u8], at: usize, word: &[u8]) -> Option<(Value, usize)> {
    let found = text.get(at..)?.starts_with(word);
    found.then(|| {
        (
            Value::Word(word.first().copied().unwrap_or_default()),
            at + word.len(),
        )
    })
}

/// `-`, digits without a leading zero, a fraction, an exponent.
fn scan_number(text: &[u8], start: usize) -> Option<(Value, usize)> {
    let digits = |from: usize| {
        let rest = text.get(from..).unwrap_or_default();
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        (count > 0).then_some(from + count)
    };
    let whole = start + usize::from(text.get(start) == Some(&b'-'));
    let mut end = digits(whole)?;
    if text.get(whole) == Some(&b'0') && end > whole + 1 {
        return None;
    }
    if text.get(end) == Some(&b'.') {
        end = digits(end + 1)?;
    }
    if matches!(text.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(text.get(end + 1), Some(b'+' | b'-')));
        end = digits(end + 1 + sign)?;
    }
    Some((Value::Number { start, end }, end))
}

fn hex4(text: &[u8], at: usize) -> Option<u32> {
    let digits = text.get(at..at + 4)?;
    digits
        .iter()
        .try_fold(0, |n, digit| Some(n << 4 | char::from(*digit).to_digit(16)?))
}
