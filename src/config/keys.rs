//! Which keys there are, and how the value of each is read from a variable. Both come from the struct itself, so
//! there is no list of keys that could fall behind it.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeSeed, MapAccess, Visitor, value::StrDeserializer},
    forward_to_deserialize_any,
};

/// What a key stands for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A table, with the names in it.
    Table(&'static [&'static str]),
    /// A table whose names the operator chooses.
    Map,
    /// Text, whatever it looks like: a secret `123456` is not a number.
    Text,
    /// A value that is written as in `Rocket.toml`.
    Typed,
    Unknown,
}

/// What the key stands for in `T`. The empty key is `T` itself.
pub(super) fn kind_of<'de, T: Deserialize<'de>>(key: &str) -> Kind {
    let path: Vec<&str> = key.split('.').filter(|_| !key.is_empty()).collect();
    match T::deserialize(Walk(&path)) {
        Err(Found(kind)) => kind,
        // A type that asks for nothing has nothing to set.
        Ok(_) => Kind::Unknown,
    }
}

/// Follows a path into a type. On the way, Serde's derive names the fields of each struct. At the end of the path
/// there is no value to give, so the walk always ends with an error. That error carries the result.
struct Walk<'a>(&'a [&'a str]);

#[derive(Debug, thiserror::Error)]
#[error("{0:?}")]
struct Found(Kind);

impl de::Error for Found {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self(Kind::Unknown)
    }
}

impl Walk<'_> {
    fn end(&self, kind: Kind) -> Found {
        Found(if self.0.is_empty() { kind } else { Kind::Unknown })
    }
}

impl<'de> Deserializer<'de> for Walk<'_> {
    type Error = Found;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Found> {
        match self.0.first() {
            None => Err(Found(Kind::Table(fields))),
            Some(name) if fields.contains(name) => visitor.visit_map(self),
            Some(_) => Err(Found(Kind::Unknown)),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Found> {
        match self.0.first() {
            None => Err(Found(Kind::Map)),
            Some(&"") => Err(Found(Kind::Unknown)),
            Some(_) => visitor.visit_map(self),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Found> {
        visitor.visit_some(self)
    }

    fn deserialize_string<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Found> {
        Err(self.end(Kind::Text))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Found> {
        Err(self.end(Kind::Text))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Found> {
        Err(self.end(Kind::Typed))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct identifier ignored_any
    }
}

/// A table that holds the next name of the path and nothing else.
impl<'de> MapAccess<'de> for Walk<'_> {
    type Error = Found;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Found> {
        self.0.first().map(|name| seed.deserialize(StrDeserializer::new(name))).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Found> {
        seed.deserialize(Walk(self.0.get(1..).unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, path::PathBuf};

    use super::*;
    use crate::config::LogLevel;

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only the types are looked at")]
    struct Outer {
        text: Option<PathBuf>,
        level: LogLevel,
        inner: Inner,
        map: BTreeMap<String, Inner>,
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only the types are looked at")]
    struct Inner {
        number: Option<u32>,
        list: Vec<String>,
    }

    #[test]
    fn a_struct_says_which_keys_it_has_and_of_which_kind() {
        for (key, kind) in [
            ("", Kind::Table(&["text", "level", "inner", "map"])),
            ("text", Kind::Text),
            ("level", Kind::Text),
            ("inner", Kind::Table(&["number", "list"])),
            ("inner.number", Kind::Typed),
            ("inner.list", Kind::Typed),
            ("map", Kind::Map),
            ("map.any", Kind::Table(&["number", "list"])),
            ("map.any.list", Kind::Typed),
            ("map.any.text", Kind::Unknown),
            ("map..list", Kind::Unknown),
            ("number", Kind::Unknown),
            ("inner.text", Kind::Unknown),
            ("text.more", Kind::Unknown),
            ("inner.list.0", Kind::Unknown),
            ("inner.", Kind::Unknown),
            (".text", Kind::Unknown),
        ] {
            assert_eq!(kind_of::<Outer>(key), kind, "{key}");
        }
    }
}
