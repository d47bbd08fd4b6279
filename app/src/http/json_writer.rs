//! Writes JSON answers: texts, and what holds values together, here; every other value as serde_json does.
//!
//! A page of rows is keys and texts for the most part, few of which have anything to escape. Looking at them byte by byte, as is
//! done for texts in general, takes longer than all else that an answer needs.

use serde::Serialize;
use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};
use serde_json::Error;

use super::json::AsTheOriginals;

/// The names beneath which serde_json's own values tell its serializer, and no other, what they are: numbers as they are spelled, and
/// JSON that is written already.
const THEIRS: &str = "$serde_json::private::";

/// Appends a value to an answer.
pub(super) struct JsonWriter<'a>(pub(super) &'a mut Vec<u8>);

impl<'a> JsonWriter<'a> {
    /// As serde_json writes it.
    fn theirs<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(&mut their_serializer(self.0))
    }

    /// A text without anything to escape.
    fn quote(self, text: &str) {
        self.0.push(b'"');
        self.0.extend_from_slice(text.as_bytes());
        self.0.push(b'"');
    }

    fn begin(self, begin: u8, end: &'static [u8]) -> Begun<'a> {
        self.0.push(begin);
        Begun {
            out: self.0,
            is_filled: false,
            end,
            their_name: None,
        }
    }

    fn begin_variant(self, name: &'static str, begin: u8, end: &'static [u8]) -> Result<Begun<'a>, Error> {
        self.0.push(b'{');
        JsonWriter(self.0).serialize_str(name)?;
        self.0.push(b':');
        Ok(self.begin(begin, end))
    }
}

fn their_serializer(out: &mut Vec<u8>) -> serde_json::Serializer<&mut Vec<u8>, AsTheOriginals> {
    serde_json::Serializer::with_formatter(out, AsTheOriginals)
}

/// Whether a text stands in JSON as it is, but for the quotation marks around it.
#[inline]
fn is_plain(text: &str) -> bool {
    let bytes = text.as_bytes();
    let (pieces, rest) = bytes.as_chunks::<16>();
    let found = pieces
        .iter()
        .fold(false, |found, piece| found | any_escaped(piece));
    // Some of the last ones were looked at already, which takes less than to look at the rest alone.
    let last = match (
        bytes.last_chunk::<16>(),
        rest.first_chunk::<8>(),
        rest.last_chunk::<8>(),
    ) {
        (Some(last), ..) => any_escaped(last),
        (None, Some(first), Some(last)) => any_escaped(first) | any_escaped(last),
        _ => rest.iter().any(|byte| is_escaped(*byte)),
    };
    !(found | last)
}

/// Whether one of these bytes is escaped. All are looked at: the processor takes them at once.
#[inline]
fn any_escaped<const N: usize>(bytes: &[u8; N]) -> bool {
    bytes.iter().fold(false, |found, byte| found | is_escaped(*byte))
}

/// Whether it is a control character, a quotation mark or a backslash. The compiler makes jumps of a pattern, and of these comparisons one for
/// many bytes.
#[inline]
fn is_escaped(byte: u8) -> bool {
    let is = [byte < b' ', byte == b'"', byte == b'\\'];
    is.into_iter().fold(false, |found, is| found | is)
}

impl<'a> Serializer for JsonWriter<'a> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Begun<'a>;
    type SerializeTuple = Begun<'a>;
    type SerializeTupleStruct = Begun<'a>;
    type SerializeTupleVariant = Begun<'a>;
    type SerializeMap = Begun<'a>;
    type SerializeStruct = Begun<'a>;
    type SerializeStructVariant = Begun<'a>;

    fn serialize_bool(self, value: bool) -> Result<(), Error> {
        self.theirs(&value)
    }

    fn serialize_i8(self, value: i8) -> Result<(), Error> {
        self.theirs(&value)
    }

    fn serialize_i16(self, value: i16) -> Result<(), Error> {
        self.theirs(&value)
    }

    fn serialize_i32(self, value: i32) -> Result<(), Error> {
        self.theirs(&value)
    }

    fn serialize_i64(self, value: i64) -> Result<(), Error> {
        self.theirs(&value)
    }

    fn serialize_u8(self, value: u8) -> Result<(), Error> {
        self.theirs(&value)
    }

    fn serialize_u16(self, value: u16) -> Result<(), Error> {
        self.theirs(&value)
    }

    fn serialize_u32(self, value: u32) -> Result<(), Error> {
        self.theirs(&value)
    }

    fn serialize_u64(self, value: u64) -> Result<(), Error> {
        self.theirs(&value)
    }

    fn serialize_f32(self, value: f32) -> Result<(), Error> {
        self.theirs(&value)
    }

    fn serialize_f64(self, value: f64) -> Result<(), Error> {
        self.theirs(&value)
    }

    fn serialize_char(self, value: char) -> Result<(), Error> {
        self.theirs(&value)
    }

    fn serialize_str(self, value: &str) -> Result<(), Error> {
        if !is_plain(value) {
            return self.theirs(value);
        }
        self.quote(value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Error> {
        self.theirs(value)
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.0.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Error> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        let mut begun = self.begin(b'{', b"}");
        begun.member(variant, value)?;
        begun.finish();
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Begun<'a>, Error> {
        Ok(self.begin(b'[', b"]"))
    }

    fn serialize_tuple(self, _: usize) -> Result<Begun<'a>, Error> {
        Ok(self.begin(b'[', b"]"))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Begun<'a>, Error> {
        Ok(self.begin(b'[', b"]"))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Begun<'a>, Error> {
        self.begin_variant(variant, b'[', b"]}")
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Begun<'a>, Error> {
        Ok(self.begin(b'{', b"}"))
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Begun<'a>, Error> {
        if name.starts_with(THEIRS) {
            return Ok(Begun {
                out: self.0,
                is_filled: false,
                end: b"",
                their_name: Some(name),
            });
        }
        Ok(self.begin(b'{', b"}"))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Begun<'a>, Error> {
        self.begin_variant(variant, b'{', b"}}")
    }
}

/// Something that holds values, begun.
pub(super) struct Begun<'a> {
    out: &'a mut Vec<u8>,
    /// Whether something is in it.
    is_filled: bool,
    end: &'static [u8],
    /// Its name, if it is a value of serde_json's own.
    their_name: Option<&'static str>,
}

impl Begun<'_> {
    fn separate(&mut self) {
        if self.is_filled {
            self.out.push(b',');
        }
        self.is_filled = true;
    }

    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.separate();
        value.serialize(JsonWriter(self.out))
    }

    // In place, where the length of the name is known.
    #[inline]
    fn member<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
        if let Some(whole) = self.their_name {
            let mut serializer = their_serializer(self.out);
            let mut whole = (&mut serializer).serialize_struct(whole, 1)?;
            SerializeStruct::serialize_field(&mut whole, name, value)?;
            return SerializeStruct::end(whole);
        }
        // Names of fields are ours.
        debug_assert!(is_plain(name), "{name}");
        if self.is_filled {
            self.out.extend_from_slice(b",\"");
        } else {
            self.out.push(b'"');
            self.is_filled = true;
        }
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        value.serialize(JsonWriter(self.out))
    }

    fn finish(self) {
        self.out.extend_from_slice(self.end);
    }
}

impl SerializeSeq for Begun<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.element(value)
    }

    fn end(self) -> Result<(), Error> {
        self.finish();
        Ok(())
    }
}

impl SerializeTuple for Begun<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.element(value)
    }

    fn end(self) -> Result<(), Error> {
        self.finish();
        Ok(())
    }
}

impl SerializeTupleStruct for Begun<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.element(value)
    }

    fn end(self) -> Result<(), Error> {
        self.finish();
        Ok(())
    }
}

impl SerializeTupleVariant for Begun<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.element(value)
    }

    fn end(self) -> Result<(), Error> {
        self.finish();
        Ok(())
    }
}

impl SerializeMap for Begun<'_> {
    type Ok = ();
    type Error = Error;

    /// A key that is a number stands in quotation marks; one that is no text can only be a number or a truth value.
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        let from = self.out.len() + usize::from(self.is_filled);
        self.element(key)?;
        if self.out[from] != b'"' {
            self.out.insert(from, b'"');
            self.out.push(b'"');
        }
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.out.push(b':');
        value.serialize(JsonWriter(self.out))
    }

    fn end(self) -> Result<(), Error> {
        self.finish();
        Ok(())
    }
}

impl SerializeStruct for Begun<'_> {
    type Ok = ();
    type Error = Error;

    #[inline]
    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
        self.member(name, value)
    }

    fn end(self) -> Result<(), Error> {
        self.finish();
        Ok(())
    }
}

impl SerializeStructVariant for Begun<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
        self.member(name, value)
    }

    fn end(self) -> Result<(), Error> {
        self.finish();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::value::RawValue;
    use serde_json::{Value, json};

    use super::*;

    fn written(value: &(impl Serialize + ?Sized)) -> String {
        let mut bytes = Vec::new();
        value.serialize(JsonWriter(&mut bytes)).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[derive(Serialize)]
    enum Kind {
        Unit,
        New(&'static str),
        Pair(u8, char),
        Named { a: f32, b: () },
    }

    #[derive(Serialize)]
    struct Newtype(i16);

    #[derive(Serialize)]
    struct Pair(bool, u64);

    #[derive(Serialize)]
    struct Nothing;

    #[derive(Serialize)]
    struct Everything {
        kinds: Vec<Kind>,
        newtype: Newtype,
        pair: Pair,
        nothing: (Nothing, Option<i8>, Option<u32>),
        numbers: BTreeMap<i64, f64>,
        texts: BTreeMap<String, Vec<i32>>,
        flags: BTreeMap<bool, u16>,
        raw: Box<RawValue>,
        #[serde(flatten)]
        rest: Value,
    }

    #[test]
    fn all_kinds_of_values_are_written_as_by_serde_json() {
        let everything = Everything {
            kinds: vec![
                Kind::Unit,
                Kind::New("a\"b"),
                Kind::Pair(7, '\n'),
                Kind::Named { a: 0.5, b: () },
            ],
            newtype: Newtype(-3),
            pair: Pair(true, u64::MAX),
            nothing: (Nothing, None, Some(9)),
            numbers: BTreeMap::from([(-1, 0.25), (2, f64::NAN)]),
            texts: BTreeMap::from([(String::new(), vec![]), ("ü\\".to_owned(), vec![])]),
            flags: BTreeMap::from([(false, 0)]),
            raw: RawValue::from_string(r#"{"as":  ["it\u0020is", 1E5]}"#.to_owned()).unwrap(),
            rest: json!({"x": [1, {"y": null}], "z": {}}),
        };
        let expected = serde_json::to_string(&everything).unwrap();
        assert_eq!(written(&everything), expected);
        let whole: Value = serde_json::from_str("[12345678901234567890123, 0.10, -7]").unwrap();
        assert_eq!(written(&whole), "[12345678901234567890123,0.1,-7]");
    }

    #[test]
    fn each_character_is_escaped_wherever_it_stands() {
        for character in '\0'..='\u{7ff}' {
            for place in 0..17 {
                let mut text = "12345678901234567".to_owned();
                text.insert(place, character);
                let expected = serde_json::to_string(&text).unwrap();
                assert_eq!(written(&text), expected, "{character:?} at {place}");
            }
        }
    }
}
