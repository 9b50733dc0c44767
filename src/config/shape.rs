//! The shape of settings, as their structs have it: which keys there are, and what each takes.
//!
//! It is found by letting a struct read itself from a source that has everything, so that the keys
//! are written down once, as the fields of the structs.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserializer;
use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Error as _, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};
use serde::forward_to_deserialize_any;

/// What a key takes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Shape {
    /// A table whose keys are known.
    Table(BTreeMap<&'static str, Self>),
    /// A table whose keys are names of the operator's choice.
    Named(Box<Self>),
    /// An array.
    List(Box<Self>),
    /// A string.
    Text,
    /// A number.
    Number,
    /// `true` or `false`.
    Flag,
    /// One of some words.
    Choice(&'static [&'static str]),
    /// Nothing that settings can hold.
    #[default]
    Unknown,
}

impl Shape {
    /// The shape of a struct; `None` for one that cannot be told.
    pub fn of<T: DeserializeOwned>() -> Option<Self> {
        let mut shape = Self::Unknown;
        T::deserialize(Probe(&mut shape)).ok().map(|_| shape)
    }

    /// The paths of every key that is no table, with `*` for a name of the operator's choice.
    pub fn keys(&self) -> Vec<(String, &Self)> {
        let mut keys = Vec::new();
        self.collect("", &mut keys);
        keys
    }

    fn collect<'a>(&'a self, path: &str, keys: &mut Vec<(String, &'a Self)>) {
        let below = |name: &str| match path {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        };
        match self {
            Self::Table(fields) => {
                for (name, shape) in fields {
                    shape.collect(&below(name), keys);
                }
            }
            Self::Named(shape) => shape.collect(&below("*"), keys),
            leaf => keys.push((path.to_owned(), leaf)),
        }
    }
}

/// The probe's one failure: something that no settings hold.
#[derive(Debug)]
struct Unfit;

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no settings hold this")
    }
}

impl std::error::Error for Unfit {}

impl serde::de::Error for Unfit {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

/// A source that has everything, and notes what it is asked for.
struct Probe<'a>(&'a mut Shape);

macro_rules! leaf {
    ($($method:ident $shape:ident $visit:ident $value:expr;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
            *self.0 = Shape::$shape;
            visitor.$visit($value)
        }
    )*};
}

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Unfit;

    leaf! {
        deserialize_bool Flag visit_bool true;
        deserialize_u8 Number visit_u8 1;
        deserialize_u16 Number visit_u16 1;
        deserialize_u32 Number visit_u32 1;
        deserialize_u64 Number visit_u64 1;
        deserialize_i64 Number visit_i64 1;
        deserialize_f64 Number visit_f64 1.0;
        deserialize_str Text visit_str "";
        deserialize_string Text visit_str "";
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        let mut item = Shape::Unknown;
        let value = visitor.visit_seq(One(Some(&mut item)))?;
        *self.0 = Shape::List(Box::new(item));
        Ok(value)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        let mut value = Shape::Unknown;
        let map = visitor.visit_map(OneName(Some(&mut value)))?;
        *self.0 = Shape::Named(Box::new(value));
        Ok(map)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        let mut known = BTreeMap::new();
        let value = visitor.visit_map(Every { left: fields, known: &mut known })?;
        *self.0 = Shape::Table(known);
        Ok(value)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        *self.0 = Shape::Choice(variants);
        let first: StrDeserializer<'_, Unfit> =
            variants.first().copied().unwrap_or_default().into_deserializer();
        visitor.visit_enum(first)
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Unfit> {
        Err(Unfit)
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i128 u128 f32 char bytes byte_buf unit unit_struct tuple tuple_struct identifier
        ignored_any
    }
}

/// An array of one item.
struct One<'a>(Option<&'a mut Shape>);

impl<'de> SeqAccess<'de> for One<'_> {
    type Error = Unfit;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Unfit> {
        self.0.take().map(|shape| seed.deserialize(Probe(shape))).transpose()
    }
}

/// A table with one name.
struct OneName<'a>(Option<&'a mut Shape>);

impl<'de> MapAccess<'de> for OneName<'_> {
    type Error = Unfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Unfit> {
        let name: StrDeserializer<'_, Unfit> = "name".into_deserializer();
        self.0.is_some().then(|| seed.deserialize(name)).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Unfit> {
        let shape = self.0.take().ok_or_else(|| Unfit::custom("a value without its name"))?;
        seed.deserialize(Probe(shape))
    }
}

/// A table with every field of a struct.
struct Every<'a> {
    left: &'static [&'static str],
    known: &'a mut BTreeMap<&'static str, Shape>,
}

impl<'de> MapAccess<'de> for Every<'_> {
    type Error = Unfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Unfit> {
        let first: Option<StrDeserializer<'_, Unfit>> =
            self.left.first().map(|field| (*field).into_deserializer());
        first.map(|field| seed.deserialize(field)).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Unfit> {
        let (field, left) = self.left.split_first().ok_or(Unfit)?;
        self.left = left;
        seed.deserialize(Probe(self.known.entry(field).or_default()))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Colour {
        Red,
        Blue,
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only its shape is looked at")]
    struct Example {
        text: Option<String>,
        number: u16,
        flags: Vec<bool>,
        colour: Colour,
        named: BTreeMap<String, Inner>,
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only its shape is looked at")]
    struct Inner {
        path: std::path::PathBuf,
    }

    #[test]
    fn a_struct_tells_its_keys() {
        let shape = Shape::of::<Example>().unwrap();
        let keys: Vec<_> = shape.keys();
        let expected = [
            ("colour", Shape::Choice(&["red", "blue"])),
            ("flags", Shape::List(Box::new(Shape::Flag))),
            ("named.*.path", Shape::Text),
            ("number", Shape::Number),
            ("text", Shape::Text),
        ];
        let found: Vec<_> =
            keys.iter().map(|(path, shape)| (path.as_str(), (*shape).clone())).collect();
        assert_eq!(found, expected);
        assert!(Shape::of::<char>().is_none());
        assert!(matches!(Colour::Red, Colour::Red) && !matches!(Colour::Blue, Colour::Red));
    }
}
